"""The platform under fire: three servers, the wire to the broker, and the pods."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.home import choose_ports, make_home
from deploy.local.platform import SERVICE_NAMES, service_environment
from deploy.local.seed import SeededTenant, seed_first_tenant, set_password
from deploy.local.stack import StackAddresses
from services.identity.features import build_features
from services.identity.sessions.store.signer import JwtSigner
from services.identity.settings import IdentitySettings
from shared.kit.database.migrations import migrate
from shared.kit.runtime.assembly import open_database
from shared.kit.runtime.runner import build_host
from tests.chaos import applied_log as witness
from tests.chaos.disabled_guards import MUTANT_VARIABLE
from tests.chaos.fault_injection import POLL_LIMIT_VARIABLE
from tests.chaos.fork_client import ForkServer, start_fork_server
from tests.chaos.pods import Pod
from tests.chaos.servers import Servers
from tests.chaos.workload.setup import PASSWORD
from tests.support.programs import start_child
from tests.support.stack_process import REPOSITORY

SERVICES_WITH_TWO_PODS = ("community", "moderation", "metrics", "notifications")
"""Services with a second pod that reads and relays, as a deployment has."""
SMALL_DISK_MB = 1200
READY_TIMEOUT_SECONDS = 120.0
POLL_LIMIT_SECONDS = 8.0
SHORT_POLL_SERVICE = "notifications"
"""The service whose poll limit is small, so that a slow batch can exceed it."""


@dataclass
class BrokerProxy:
    """The proxy process between the pods and the broker."""

    process: Process

    async def set_mode(self, word: str) -> None:
        """`refuse`, `hang` or `clear`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{word}\n".encode())
        await self.process.stdout.readline()


@dataclass
class Platform:
    """The running platform: servers, proxy and pods."""

    home: Path
    addresses: StackAddresses
    servers: Servers
    broker_proxy: BrokerProxy
    pods: dict[str, Pod]
    seeded: SeededTenant
    signer: JwtSigner
    disk_is_small: bool
    poll_limit_seconds: float = POLL_LIMIT_SECONDS
    """Seconds that a batch of notifications may take."""

    @property
    def urls(self) -> Mapping[str, str]:
        """The base URL of each service: of the pod that serves its API."""
        return {pod.service: pod.url for pod in self.pods.values() if "api" in pod.roles}

    def operator_token(self) -> str:
        """Sign an access token of the operator's."""
        return self.signer.sign_access(self.seeded.tenant, self.seeded.operator, "faults")

    def pods_of(self, service: str) -> list[Pod]:
        """Return the pods of a service."""
        return [pod for pod in self.pods.values() if pod.service == service]


@asynccontextmanager
async def start_platform(
    home: Path, *, mutant: str = "", small_disk: bool
) -> AsyncIterator[Platform]:
    """Start everything; stop everything when left."""
    make_home(home)
    port_names = ["inner", "wire", *SERVICE_NAMES, *(f"{name}-2" for name in SERVICE_NAMES)]
    ports = choose_ports(home, dict.fromkeys(port_names))
    size = SMALL_DISK_MB if small_disk else 0
    servers = Servers(
        home, proxied_port=ports["inner"], advertised_port=ports["wire"], disk_megabytes=size
    )
    async with (
        start_fork_server() as fork_server,
        servers as addresses,
        _run_proxy(ports["wire"], ports["inner"]) as broker_proxy,
    ):
        environment = _pod_environment(home, ports, addresses, mutant)
        for name in SERVICE_NAMES:
            await migrate(name, addresses.database_url(name, "owner"))
        await witness.create_tables(addresses)
        seeded, signer = await _seeded(environment, addresses, home)
        pods = _pods(home, ports, environment, fork_server)
        running_platform = Platform(
            home, addresses, servers, broker_proxy, pods, seeded, signer, small_disk
        )
        for pod in pods.values():
            pod.start()
        try:
            ready = await asyncio.gather(
                *(pod.wait_until_ready(READY_TIMEOUT_SECONDS) for pod in pods.values())
            )
            if not all(ready):
                raise TimeoutError(f"pods that never became ready: logs in {home / 'logs'}")
            yield running_platform
        finally:
            await asyncio.gather(*(pod.stop() for pod in pods.values()))


def _pod_environment(
    home: Path, ports: Mapping[str, int], addresses: StackAddresses, mutant: str
) -> dict[str, str]:
    variables = dict(service_environment(home, ports["identity"], addresses))
    del variables["PREAU_INSTANCE"]
    variables |= {"PREAU_KAFKA": f"127.0.0.1:{ports['wire']}", "PREAU_LOG_LEVEL": "info"}
    # A handful of people do the work of a city.
    variables["PREAU_LIMIT_FACTOR"] = "1000000"
    variables |= {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
    return variables | ({MUTANT_VARIABLE: mutant} if mutant else {})


def _pods(
    home: Path, ports: Mapping[str, int], environment: Mapping[str, str], fork_server: ForkServer
) -> dict[str, Pod]:
    def pod(name: str, service: str, roles: tuple[str, ...]) -> Pod:
        own = {k: v for k, v in environment.items() if _is_visible_to(service, k)}
        own["PREAU_INSTANCE"] = name
        if service == SHORT_POLL_SERVICE:
            own[POLL_LIMIT_VARIABLE] = str(POLL_LIMIT_SECONDS)
        log = home / "logs" / f"pod-{name}.log"
        return Pod(name, service, ports[name], roles, own, log, fork_server)

    firsts = {name: pod(name, name, ("api", "worker", "relay")) for name in SERVICE_NAMES}
    twins = {f"{s}-2": pod(f"{s}-2", s, ("worker", "relay")) for s in SERVICES_WITH_TWO_PODS}
    return firsts | twins


def _is_visible_to(service: str, variable: str) -> bool:
    other_prefixes = tuple(f"{name.upper()}_" for name in SERVICE_NAMES if name != service)
    return not variable.startswith(other_prefixes)


async def _seeded(
    environment: Mapping[str, str], addresses: StackAddresses, home: Path
) -> tuple[SeededTenant, JwtSigner]:
    host = build_host("identity", environment, addresses.kafka)
    settings = IdentitySettings.from_environment(environment)
    database = open_database("identity", host, settings)
    try:
        own = build_features(host, settings, database)
        signer = JwtSigner(
            settings.signing_key,
            issuer=settings.issuer,
            audience=settings.audience,
            clock=host.clock,
        )
        seeded = await seed_first_tenant(own, home)
        # Nobody signs in as the operator but the desk of these runs.
        await set_password(own, seeded.tenant, seeded.operator, PASSWORD)
        return seeded, signer
    finally:
        await database.stop()
        await host.bus.close()


@asynccontextmanager
async def _run_proxy(listen: int, target: int) -> AsyncIterator[BrokerProxy]:
    process = await start_child(
        *(sys.executable, "-m", "tests.chaos.broker_proxy", str(listen), str(target)),
        cwd=REPOSITORY,
        stdin=PIPE,
        stdout=PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        await process.stdout.readline()
        yield BrokerProxy(process)
    finally:
        process.stdin.close()
        await process.wait()
