"""Runs operator commands against the real routes and a real database, in one process."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result
from starlette.applications import Starlette
from starlette.routing import Mount
from uuid_utils.compat import uuid7

from shared.contracts.catalogue import PUBLISHERS
from shared.kit.core.host import Host
from shared.kit.database.batched.unit import BatchedDatabase
from shared.kit.inbox.consumer import BatchConsumer
from shared.kit.telemetry.noop import NoTelemetry
from shared.kit.tools.cli.main import EPILOG, LazyCommandGroup
from shared.kit.web.app import web_app
from shared.kit.web.context import AppContext
from shared.kit.web.dead_letters import FindConsumer
from shared.kit.web.operating import operating_routes
from tests.support.inbox_harness import InboxHarness
from tests.support.sample_app import LOCALE, FakeRights, FakeVerifier

GROUP = "metrics"
"""Service whose consumer group is the harness; the other services have no consumer."""


@dataclass
class CliHarness:
    """Runs commands as Hamid, an operator; `requests` are the ones that reached the platform."""

    inbox: InboxHarness
    platform: httpx.AsyncClient
    requests: list[httpx.Request] = field(default_factory=list)

    async def run(self, *arguments: str, exit_code: int = 0) -> str:
        """Run a command, check its exit code, and return its output."""
        loop = asyncio.get_running_loop()

        def respond(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            request_copy = self.platform.build_request(
                request.method,
                request.url.raw_path.decode(),
                content=request.content,
                headers={**request.headers, "host": "test"},
            )
            response = asyncio.run_coroutine_threadsafe(
                self.platform.send(request_copy), loop
            ).result(30)
            return httpx.Response(
                response.status_code, content=response.content, headers=response.headers
            )

        def invoke() -> Result:
            with pytest.MonkeyPatch.context() as patched:
                plain = httpx.Client
                transport = httpx.MockTransport(respond)
                patched.setattr(
                    httpx,
                    "Client",
                    lambda base_url, **_: plain(base_url=base_url, transport=transport),
                )
                return CliRunner().invoke(LazyCommandGroup(name="preau", epilog=EPILOG), arguments)

        result = await asyncio.to_thread(invoke)
        assert result.exit_code == exit_code, (result.output, result.exception)
        return result.output


def open_cli_harness(
    inbox: InboxHarness, home: Path, monkeypatch: pytest.MonkeyPatch
) -> CliHarness:
    """Serve the routes of every service; only `GROUP` has a consumer."""
    home.mkdir(exist_ok=True)
    (home / "operator.token").write_text("hamid\n")
    monkeypatch.setenv("PREAU_HOME", str(home))
    monkeypatch.delenv("PREAU_TOKEN_FILE", raising=False)
    host = Host(inbox.bus, inbox.clock, uuid7, NoTelemetry(), {})
    context = AppContext(host, BatchedDatabase(inbox.database), FakeVerifier(), FakeRights())
    group_consumer = inbox.consumer()

    async def count_waiting() -> int:
        return 0

    mounts = []
    for name in PUBLISHERS:
        consumer = group_consumer if name == GROUP else None
        routes = operating_routes(_find_consumer(consumer), inbox.bus, count_waiting)
        app = web_app(name, context, [], [routes], locale=LOCALE)
        mounts.append(Mount(f"/{name}", app, name=name))
    transport = httpx.ASGITransport(Starlette(routes=mounts))
    return CliHarness(inbox, httpx.AsyncClient(base_url="http://test", transport=transport))


def _find_consumer(consumer: BatchConsumer | None) -> FindConsumer:
    return lambda: consumer
