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
from deploy.local.platform import NAMES, _environment
from deploy.local.seed import Seeded, seed, set_password
from deploy.local.stack import Addresses
from services.identity.main import features
from services.identity.sessions.store.signer import JwtSigner
from services.identity.settings import IdentitySettings
from shared.kit.database.migrations import migrate
from shared.kit.runtime.assembly import open_database
from shared.kit.runtime.runner import host_of
from tests.chaos import applied_log as witness
from tests.chaos.disabled_guards import MUTANT
from tests.chaos.fault_injection import LIMIT
from tests.chaos.fork_client import Nursery, nursery
from tests.chaos.pods import Pod
from tests.chaos.servers import Servers
from tests.chaos.workload.opening import PASSWORD
from tests.support.programs import begin
from tests.support.stack_process import REPOSITORY

TWINS = ("community", "moderation", "metrics", "notifications")
"""Services with a second pod that reads and relays, as a deployment has."""
SMALL_DISK_MB = 1200
READY_WITHIN = 120.0
POLL_LIMIT = 8.0
HASTY = "notifications"
"""The service whose poll limit is small, so that a slow batch can exceed it."""


@dataclass
class Wire:
    """The proxy process between the pods and the broker."""

    process: Process

    async def weather(self, word: str) -> None:
        """`refuse`, `hang` or `clear`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{word}\n".encode())
        await self.process.stdout.readline()


@dataclass
class Platform:
    """All that a fault may hurt, and where to look."""

    home: Path
    addresses: Addresses
    servers: Servers
    wire: Wire
    pods: dict[str, Pod]
    seeded: Seeded
    signer: JwtSigner
    disk_is_small: bool
    poll_limit: float = POLL_LIMIT
    """Seconds that a batch of notifications may take."""

    @property
    def urls(self) -> Mapping[str, str]:
        """The base URL of each service: of the pod that serves its API."""
        return {pod.service: pod.url for pod in self.pods.values() if "api" in pod.roles}

    def operator_token(self) -> str:
        """Sign an access token of the operator's."""
        return self.signer.access(self.seeded.tenant, self.seeded.operator, "faults")

    def of(self, service: str) -> list[Pod]:
        """Give the pods of a service."""
        return [pod for pod in self.pods.values() if pod.service == service]


@asynccontextmanager
async def platform(home: Path, *, mutant: str = "", small_disk: bool) -> AsyncIterator[Platform]:
    """Start everything; stop everything when left."""
    make_home(home)
    wanted = ["inner", "wire", *NAMES, *(f"{name}-2" for name in NAMES)]
    ports = choose_ports(home, dict.fromkeys(wanted))
    size = SMALL_DISK_MB if small_disk else 0
    servers = Servers(home, inner=ports["inner"], outer=ports["wire"], small_disk=size)
    async with (
        nursery() as births,
        servers as addresses,
        _wire(ports["wire"], ports["inner"]) as wire,
    ):
        environment = _pod_environment(home, ports, addresses, mutant)
        for name in NAMES:
            await migrate(name, addresses.database(name, "owner"))
        await witness.prepare(addresses)
        seeded, signer = await _seeded(environment, addresses, home)
        pods = _pods(home, ports, environment, births)
        made = Platform(home, addresses, servers, wire, pods, seeded, signer, small_disk)
        for pod in pods.values():
            pod.start()
        try:
            answers = await asyncio.gather(*(pod.ready(READY_WITHIN) for pod in pods.values()))
            if not all(answers):
                raise TimeoutError(f"pods that never became ready: logs in {home / 'logs'}")
            yield made
        finally:
            await asyncio.gather(*(pod.stop() for pod in pods.values()))


def _pod_environment(
    home: Path, ports: Mapping[str, int], addresses: Addresses, mutant: str
) -> dict[str, str]:
    found = dict(_environment(home, ports["identity"], addresses))
    del found["PREAU_INSTANCE"]
    found |= {"PREAU_KAFKA": f"127.0.0.1:{ports['wire']}", "PREAU_LOG_LEVEL": "info"}
    # A handful of people do the work of a city.
    found["PREAU_LIMIT_FACTOR"] = "1000000"
    found |= {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
    return found | ({MUTANT: mutant} if mutant else {})


def _pods(
    home: Path, ports: Mapping[str, int], environment: Mapping[str, str], births: Nursery
) -> dict[str, Pod]:
    def pod(name: str, service: str, roles: tuple[str, ...]) -> Pod:
        own = {k: v for k, v in environment.items() if _may_see(service, k)}
        own["PREAU_INSTANCE"] = name
        if service == HASTY:
            own[LIMIT] = str(POLL_LIMIT)
        log = home / "logs" / f"pod-{name}.log"
        return Pod(name, service, ports[name], roles, own, log, births)

    firsts = {name: pod(name, name, ("api", "worker", "relay")) for name in NAMES}
    twins = {f"{s}-2": pod(f"{s}-2", s, ("worker", "relay")) for s in TWINS}
    return firsts | twins


def _may_see(service: str, variable: str) -> bool:
    others = tuple(f"{name.upper()}_" for name in NAMES if name != service)
    return not variable.startswith(others)


async def _seeded(
    environment: Mapping[str, str], addresses: Addresses, home: Path
) -> tuple[Seeded, JwtSigner]:
    host = host_of("identity", environment, addresses.kafka)
    settings = IdentitySettings.read(environment)
    database = open_database("identity", host, settings)
    try:
        own = features(host, settings, database)
        signer = JwtSigner(
            settings.signing_key,
            issuer=settings.issuer,
            audience=settings.audience,
            clock=host.clock,
        )
        seeded = await seed(own, home)
        # Nobody signs in as the operator but the desk of these runs.
        await set_password(own, seeded.tenant, seeded.operator, PASSWORD)
        return seeded, signer
    finally:
        await database.stop()
        await host.bus.close()


@asynccontextmanager
async def _wire(listen: int, target: int) -> AsyncIterator[Wire]:
    process = await begin(
        *(sys.executable, "-m", "tests.chaos.proxy", str(listen), str(target)),
        cwd=REPOSITORY,
        stdin=PIPE,
        stdout=PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        await process.stdout.readline()
        yield Wire(process)
    finally:
        process.stdin.close()
        await process.wait()
