"""A pod that starts without its servers waits, reports it, and becomes ready when they are."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from deploy.local.choices import ServerName
from deploy.local.stack import Stack, StackAddresses
from shared.kit.database.migrations import migrate
from tests.support.programs import bound_to_parent
from tests.support.stack_process import REPOSITORY
from tests.system.conftest import free_port

pytestmark = [
    pytest.mark.system,
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.timeout(240),
]
POSTGRES: frozenset[ServerName] = frozenset({"postgres"})
BOTH: frozenset[ServerName] = frozenset({"postgres", "kafka"})
GROUP, ROUTE = "metrics", "/metrics/v1/alerts"


def settings(addresses: StackAddresses, port: int) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "PREAU_KAFKA": addresses.kafka,
        **addresses.kafka_variables(GROUP),
        "PREAU_PORT": str(port),
        "PREAU_INNER_PORT": str(free_port()),
        "PREAU_JWKS_URL": "http://127.0.0.1:1/",
        "METRICS_DATABASE_URL": addresses.database_url(GROUP, "app"),
        "METRICS_RELAY_URL": addresses.database_url(GROUP, "relay"),
    }


class Pod:
    """`python -m shared.kit.runtime metrics`, and what it said."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.url = f"http://127.0.0.1:{environment['PREAU_PORT']}"
        self.inner_url = f"http://127.0.0.1:{environment['PREAU_INNER_PORT']}"
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                bound_to_parent(sys.executable, "-m", "shared.kit.runtime", GROUP),
                cwd=REPOSITORY,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self.log.read_text(encoding="utf-8")

    async def status(self, page: str) -> tuple[int, str]:
        async with httpx.AsyncClient(trust_env=False) as client:
            try:
                url = self.inner_url if page.startswith("/health") else self.url
                response = await client.get(f"{url}{page}")
            except httpx.TransportError:
                return 0, ""
        return response.status_code, response.text

    async def wait_for(self, page: str, status: int, text: str = "") -> None:
        async with asyncio.timeout(60):
            while True:
                assert self.process.poll() is None, self.output
                current_status, body = await self.status(page)
                if current_status == status and text in body:
                    return
                await asyncio.sleep(0.1)

    async def wait_for_exit(self, seconds: float) -> int:
        return await asyncio.to_thread(self.process.wait, seconds)


@asynccontextmanager
async def pod(environment: Mapping[str, str], log: Path) -> AsyncIterator[Pod]:
    started = Pod(environment, log)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
        await started.wait_for_exit(10)


async def assert_waits_for(waiting: Pod, dependency: str) -> None:
    await waiting.wait_for("/health/ready", 503, f"waits for {dependency}")
    assert (await waiting.status("/health/live"))[0] == 200
    assert (await waiting.status("/health/startup"))[0] == 200


async def test_pod_waits_for_both_servers_then_is_ready(tmp_path: Path) -> None:
    home = tmp_path / "maison d’été"
    async with Stack(home, server_names=BOTH, fast=True) as addresses:
        await migrate(GROUP, addresses.database_url(GROUP, "owner"))
    environment = settings(addresses, free_port())

    async with pod(environment, tmp_path / "log") as waiting:
        await assert_waits_for(waiting, "PostgreSQL")
        assert (await waiting.status(ROUTE))[0] == 503
        async with Stack(home, server_names=POSTGRES, fast=True):
            # The database is ready: a request that does not wait for the probe is served.
            await waiting.wait_for(ROUTE, 401)
            await assert_waits_for(waiting, "Kafka")
        async with Stack(home, server_names=BOTH, fast=True):
            await waiting.wait_for("/health/ready", 200)
            waiting.process.send_signal(signal.SIGTERM)
            assert await waiting.wait_for_exit(30) == 0

    assert "waiting for PostgreSQL at 127.0.0.1:" in waiting.output
    assert "waiting for Kafka at 127.0.0.1:" in waiting.output
    assert [line for line in waiting.output.splitlines() if "Traceback" in line] == []


async def test_waiting_pod_stops_on_sigterm(tmp_path: Path) -> None:
    async with Stack(tmp_path, server_names=BOTH, fast=True) as addresses:
        await migrate(GROUP, addresses.database_url(GROUP, "owner"))
    starting = pod(settings(addresses, free_port()), tmp_path / "log")
    async with Stack(tmp_path, server_names=POSTGRES, fast=True), starting as waiting:
        await waiting.wait_for(ROUTE, 401)
        await assert_waits_for(waiting, "Kafka")
        waiting.process.send_signal(signal.SIGTERM)
        assert await waiting.wait_for_exit(5) == 0
    assert [line for line in waiting.output.splitlines() if "Traceback" in line] == []


async def test_pod_with_old_schema_exits_with_one_line(tmp_path: Path) -> None:
    async with Stack(tmp_path, server_names=POSTGRES, fast=True) as addresses:
        environment = settings(addresses, free_port())
        environment |= {"PREAU_LOG_LEVEL": "error", "PREAU_KAFKA": "127.0.0.1:1"}
        async with pod(environment, tmp_path / "log") as refused:
            assert await refused.wait_for_exit(30) == 2
    assert refused.output == (
        "The database of metrics lacks revision 0001: run `preau migrate metrics` first.\n"
    )
