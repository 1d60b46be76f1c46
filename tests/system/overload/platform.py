"""Five services on three servers, community's API in a separate pod, and signed-in people."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from deploy.local.home import choose_ports, make_home
from deploy.local.platform import SERVICE_NAMES, service_environment
from deploy.local.seed import DOMAIN, SLUG, SeededTenant, seed_first_tenant
from deploy.local.stack import Stack, StackAddresses
from services.identity.features import build_features
from services.identity.sessions.store.signer import JwtSigner
from services.identity.settings import IdentitySettings
from shared.contracts.ids import MemberId, TenantId
from shared.kit.database.migrations import migrate
from shared.kit.runtime.assembly import open_database
from shared.kit.runtime.runner import build_host
from tests.chaos.workload.http_client import HttpClient
from tests.support.stack_process import descendant_pids
from tests.system.overload.pods import Pod

POD_ROLES = dict.fromkeys(SERVICE_NAMES, ("api", "worker", "relay")) | {
    "community": ("api",),
    "community-work": ("worker", "relay"),
}
"""Community as a deployment has it: the pod that serves has no relay in it."""
WRITER_NAMES = ("zoe", "malik", "ines", "tom", "hamid")
READY_TIMEOUT_SECONDS = 120.0
JSON_HEADERS = {"content-type": "application/json"}


@dataclass
class OverloadPlatform:
    """What the test drives and looks at."""

    addresses: StackAddresses
    broker: int
    pods: Mapping[str, Pod]
    seeded: SeededTenant
    signer: JwtSigner
    members: Mapping[str, MemberId]
    space: str

    @property
    def tenant(self) -> TenantId:
        return self.seeded.tenant

    @property
    def community(self) -> str:
        return self.pods["community"].url + "/community"

    def token(self, name: str) -> str:
        """Sign an access token as a session would be given: it lives for some minutes."""
        member = self.seeded.operator if name == "operator" else self.members[name]
        return self.signer.sign_access(self.tenant, member, "overload")

    def headers(self, name: str) -> dict[str, str]:
        return JSON_HEADERS | {"authorization": f"Bearer {self.token(name)}"}

    async def status(self, http: HttpClient, service: str) -> dict[str, Any] | None:
        """Ask a service for its counts, as `preau status` does; None when it says: not now.

        It says so while it cannot ask the broker, which has come back only a moment ago.
        """
        pod = self.pods.get(f"{service}-work", self.pods[service])
        path = f"/{service}/v1/operating/status"
        response = await http.request(pod.url, "GET", path, self.headers("operator"))
        if response.status == 503:
            return None
        assert response.status == 200, response.body
        status: dict[str, Any] = msgspec.json.decode(response.body)
        return status

    async def backlog(self, http: HttpClient) -> tuple[float, float]:
        """Return the facts in community's outbox, and the age of the oldest, as its metrics say."""
        response = await http.request(
            self.pods["community"].inner_url, "GET", "/community/metrics", {}
        )
        lines = response.body.decode().splitlines()
        metrics = dict(line.rsplit(" ", 1) for line in lines if line.startswith("preau_outbox_"))
        label = '{service="community"}'
        facts, age = (f"preau_outbox_{name}{label}" for name in ("pending", "oldest_age_seconds"))
        return float(metrics.get(facts, 0)), float(metrics.get(age, 0))

    def memory(self) -> dict[str, int]:
        """Return the resident megabytes of each pod, and of the broker."""
        pids = {name: pod.process.pid for name, pod in self.pods.items()}
        return {name: _resident(pid) for name, pid in {**pids, "kafka": self.broker}.items()}


def _brokers() -> set[int]:
    """Find the brokers among what this process started: those of other tests too."""
    return {pid for pid in descendant_pids(os.getpid()) if _command(pid) == "java"}


@asynccontextmanager
async def start_platform(home: Path, **limits: float) -> AsyncIterator[OverloadPlatform]:
    """Start everything, with these `PREAU_SHED_…` settings; stop everything when left."""
    make_home(home)
    ports, other_brokers = _ports(home), _brokers()
    async with Stack(home) as addresses:
        (broker,) = _brokers() - other_brokers
        environment = dict(service_environment(home, ports["identity"], addresses))
        environment |= {"PREAU_KAFKA": addresses.kafka, "PREAU_LOG_LEVEL": "warning"}
        environment["PREAU_LIMIT_FACTOR"] = "1000000"
        environment |= {f"PREAU_SHED_{name.upper()}": f"{v:g}" for name, v in limits.items()}
        environment |= {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
        for name in SERVICE_NAMES:
            await migrate(name, addresses.database_url(name, "owner"))
        seeded, signer = await _seeded(environment, addresses, home)
        pods = {name: _pod(name, ports, environment, home) for name in POD_ROLES}
        platform = OverloadPlatform(addresses, broker, pods, seeded, signer, {}, "")
        async with _running(pods.values()):
            await _open(platform)
            yield platform


@asynccontextmanager
async def _running(pods: Collection[Pod]) -> AsyncIterator[None]:
    try:
        async with asyncio.TaskGroup() as starts:
            for pod in pods:
                starts.create_task(pod.start(READY_TIMEOUT_SECONDS))
        yield
    finally:
        tidy = await asyncio.gather(*(pod.stop() for pod in pods))
        late = [pod.name for pod, was in zip(pods, tidy, strict=True) if not was]
        assert not late, f"killed, for they did not end: {late}"


def _ports(home: Path) -> dict[str, int]:
    return choose_ports(home, dict.fromkeys([*POD_ROLES, *(f"{name} inner" for name in POD_ROLES)]))


def _pod(name: str, ports: Mapping[str, int], environment: Mapping[str, str], home: Path) -> Pod:
    service = name.partition("-")[0]
    other_prefixes = tuple(
        f"{service_name.upper()}_" for service_name in SERVICE_NAMES if service_name != service
    )
    own = {n: v for n, v in environment.items() if not n.startswith(other_prefixes)}
    own["PREAU_INSTANCE"] = name
    own["PREAU_INNER_PORT"] = str(ports[f"{name} inner"])
    return Pod(name, service, ports[name], POD_ROLES[name], own, home / "logs" / f"pod-{name}.log")


async def _seeded(
    environment: Mapping[str, str], addresses: StackAddresses, home: Path
) -> tuple[SeededTenant, JwtSigner]:
    host = build_host("identity", environment, addresses.kafka)
    settings = IdentitySettings.from_environment(environment)
    database = open_database("identity", host, settings)
    try:
        own = build_features(host, settings, database)
        signer = own.sessions.tokens.access
        assert isinstance(signer, JwtSigner)
        return await seed_first_tenant(own, home), signer
    finally:
        await database.stop()
        await host.bus.close()


async def _open(platform: OverloadPlatform) -> None:
    """Learn who people are, open a space that they are all in."""
    async with HttpClient() as http:
        members = {}
        for name in (*WRITER_NAMES, "claire"):
            password = platform.seeded.password_of(name)
            body = {"tenant": SLUG, "email": f"{name}@{DOMAIN}", "password": password}
            url = platform.pods["identity"].url
            tokens = await _post(http, url, "/identity/v1/sessions", JSON_HEADERS, body)
            part = tokens["access_token"].split(".")[1]
            claims = msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
            members[name] = MemberId(UUID(claims["sub"]))
        platform.members = members
        new_space = {"name": "La cour bondée 🌊", "visibility": "public", "joining": "open"}
        url = platform.community
        identity = platform.pods["identity"].url
        tree = await http.request(
            identity, "GET", "/identity/v1/structures", platform.headers("claire")
        )
        new_space["structure_id"] = next(
            structure["structure_id"]
            for structure in msgspec.json.decode(tree.body)["items"]
            if structure["kind"] == "school"
        )
        space = await _post(http, url, "/v1/spaces", platform.headers("claire"), new_space)
        platform.space = space["space_id"]
        for name in WRITER_NAMES:
            path = f"/v1/spaces/{platform.space}/members"
            await _post(http, url, path, platform.headers(name), {})


async def _post(
    http: HttpClient, url: str, path: str, headers: Mapping[str, str], body: object
) -> dict[str, Any]:
    """POST until it succeeds: the facts that grant the right may not have arrived yet."""
    body_of_last = b""
    for _ in range(20):
        response = await http.request(url, "POST", path, headers, msgspec.json.encode(body))
        if response.status < 300:
            return dict(msgspec.json.decode(response.body or b"{}"))
        body_of_last = response.body
        await asyncio.sleep(0.5)
    raise AssertionError(f"{path}: {body_of_last!r}")


def _resident(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return (
        int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1]) // 1024
    )


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
