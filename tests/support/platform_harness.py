"""The platform of the journeys, and the words in which they are told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import jwt
import sqlalchemy as sa
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fastapi import FastAPI
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from uuid_utils.compat import uuid7

from deploy.local.seed import SLUG, Seeded, seed
from deploy.local.stack import Addresses
from services.identity.main import Features, features
from services.identity.sessions.handlers.invite import Invite, accept_invitation, invite
from services.identity.settings import IdentitySettings
from services.identity.tenants.handlers.open_tenant import OpenTenant, open_tenant
from shared.contracts.ids import TenantId
from shared.kit.bus.memory.bus import MemoryBus
from shared.kit.core.host import Host
from shared.kit.core.unit_of_work import Caller
from shared.kit.database.migrations import migrate
from shared.kit.runtime.http_server import application, inner_application
from shared.kit.runtime.runner import Running, build, ensure_topics, now, start, stop
from shared.kit.telemetry.otel import OtelTelemetry
from shared.kit.web.tokens import JwksVerifier
from tests.support.platform_databases import NAMES, database_of, make_databases

JWKS = "http://identity.test/.well-known/jwks.json"
FOREIGNER = "ulla@elsewhere.example"
FOREIGN_PASSWORD = "ein langes Passwort 🗝"
PATIENCE = 10.0
_WAITING = sa.text("SELECT count(*) FROM outbox")
Json = dict[str, Any]


@dataclass
class World:
    """Everybody signs in when first named; `anonymous` never does."""

    http: httpx.AsyncClient
    inner: httpx.AsyncClient
    bus: MemoryBus
    services: dict[str, Running]
    features: Features
    seeded: Seeded
    foreign: TenantId
    spans: InMemorySpanExporter
    host: Host
    tokens: dict[str, str] = field(default_factory=dict)

    async def sign_in(self, who: str, **more: object) -> Json:
        """Open a session of someone's."""
        body: Json = {
            "tenant": SLUG,
            "email": f"{who}@demo.example",
            "password": self.seeded.passwords.get(f"{who}@demo.example", ""),
        }
        if who == "ulla":
            body = {"tenant": "elsewhere", "email": FOREIGNER, "password": FOREIGN_PASSWORD}
        answer = await self.http.post("/identity/v1/sessions", json=body | more)
        assert answer.status_code == 201, answer.text
        found: Json = answer.json()
        return found

    async def _token_of(self, who: str) -> str:
        if who == "operator":  # nobody signs in as the operator: the platform signs the token
            signer = self.features.sessions.signer
            return signer.access(self.seeded.tenant, self.seeded.operator, "local")
        return str((await self.sign_in(who))["access_token"])

    async def call(
        self, who: str, method: str, path: str, body: object = None, **headers: str
    ) -> httpx.Response:
        """Ask as someone, and give whatever is answered."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if who != "anonymous":
            if who not in self.tokens:
                self.tokens[who] = await self._token_of(who)
            sent.setdefault("authorization", f"Bearer {self.tokens[who]}")
        answer = await self.http.request(method, path, json=body, headers=sent)
        if (
            answer.status_code == 401
            and answer.content
            and answer.json()["type"].endswith("/session_ended")
        ):
            # As people do whose session was ended, such as by a suspension that is over.
            self.tokens[who] = await self._token_of(who)
            sent["authorization"] = f"Bearer {self.tokens[who]}"
            return await self.http.request(method, path, json=body, headers=sent)
        return answer

    async def ask(
        self, who: str, method: str, path: str, body: object = None, **headers: str
    ) -> Json:
        """Ask as someone for what must succeed."""
        answer = await self.call(who, method, path, body, **headers)
        assert answer.is_success, f"{who} {method} {path}: {answer.status_code} {answer.text}"
        found: Json = answer.json() if answer.content else {}
        return found

    async def until(self, look: Callable[[], Awaitable[Json | None]]) -> Json:
        """Look until something is there."""
        async with asyncio.timeout(PATIENCE):
            while (found := await look()) is None:  # noqa: ASYNC110  it looks through HTTP
                await asyncio.sleep(0.01)
        return found

    async def told(self, who: str, category: str, about: str | None = None) -> Json:
        """Wait for a notification."""

        async def look() -> Json | None:
            items = (await self.ask(who, "GET", "/notifications/v1/inbox"))["items"]
            fits = (e for e in items if e["category"] == category and about in {None, e["about"]})
            return next(fits, None)

        return await self.until(look)

    async def seen_as(self, who: str, content: str, standing: str | None) -> Json:
        """Wait until someone sees a content in this standing; None: until they see nothing."""

        async def look() -> Json | None:
            answer = await self.call(who, "GET", f"/community/v1/contents/{content}")
            if answer.status_code == 404:
                return {} if standing is None else None
            shown = [e for e in answer.json()["items"] if e["content_id"] == content]
            return next((e for e in shown if e["standing"] == standing), None)

        return await self.until(look)

    async def case_of(self, content: str) -> Json:
        """Wait for the case of a content in Omar's queue."""

        async def look() -> Json | None:
            items = (await self.ask("omar", "GET", "/moderation/v1/cases"))["items"]
            return next((each for each in items if each["content_id"] == content), None)

        return await self.until(look)

    async def decide(self, case: Json, action: str) -> Json:
        """Decide a case as Omar, on its latest version."""
        path = f"/moderation/v1/cases/{case['case_id']}"
        await self.ask("omar", "POST", f"{path}/claim")
        version = (await self.ask("omar", "GET", path))["version"]
        body = {"version": version, "action": action, "policy": "insult"}
        body |= {"reason": "insult.direct"}
        return await self.ask("omar", "POST", f"{path}/decision", body)

    async def school(self) -> str:
        """Give the id of the first tenant's school."""
        tree = await self.ask("claire", "GET", "/identity/v1/structures")
        return str(next(e["structure_id"] for e in tree["items"] if e["kind"] == "school"))

    async def space(self, *people: str) -> str:
        """Open a space of the school with these members."""
        new = {"name": f"Salle n° {uuid7()} 🎈", "structure_id": await self.school()}
        opened = await self.ask("claire", "POST", "/community/v1/spaces", new)
        for who in people:
            await self.ask(who, "POST", f"/community/v1/spaces/{opened['space_id']}/members")
        return str(opened["space_id"])

    async def post(self, who: str, space: str, body: str, kind: str = "discussion") -> str:
        """Publish a post."""
        new = {"kind": kind, "title": "Où ça ? 🤔", "body": body}
        made = await self.ask(who, "POST", f"/community/v1/spaces/{space}/posts", new)
        return str(made["content_id"])

    async def reply(self, who: str, parent: str, body: str, kind: str = "comments") -> str:
        """Publish an answer or a comment."""
        path = f"/community/v1/contents/{parent}/{kind}"
        return str((await self.ask(who, "POST", path, {"body": body}))["content_id"])

    async def flag(self, who: str, content: str) -> None:
        """Flag a content."""
        path = f"/community/v1/contents/{content}/flags"
        await self.ask(who, "POST", path, {"reason": "harassment"})

    async def settle(self) -> None:
        """Wait until nothing is under way: outboxes empty, every record answered for."""
        async with asyncio.timeout(PATIENCE):
            quiet = 0
            while quiet < 2:
                await self.bus.settle(PATIENCE)
                waiting = [await self._outbox(each) for each in self.services.values()]
                quiet = quiet + 1 if not any((*waiting, *self.bus.lag().values())) else 0
                await asyncio.sleep(0.01)

    async def _outbox(self, each: Running) -> int:
        (row,) = await each.service.database.rows(_WAITING)
        return int(row[0])


def _environment(addresses: Addresses, prefix: str) -> Mapping[str, str]:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    found = {
        "PREAU_JWKS_URL": JWKS,
        # Journeys of a few people run in a hurry; the limits have tests of their own.
        "PREAU_LIMIT_FACTOR": "1000",
        "PREAU_PUBLIC_DOCS": "1",
        "IDENTITY_SIGNING_KEY": pem,
        "PREAU_AUDIT_KEY": pem,
        "MODERATION_SEAL_KEY": Fernet.generate_key().decode(),
        "MODERATION_SCREENING_WORKERS": "0",
    }
    for name in NAMES:
        found[f"{name.upper()}_DATABASE_URL"] = database_of(addresses, prefix, name, "app")
        found[f"{name.upper()}_RELAY_URL"] = database_of(addresses, prefix, name, "relay")
    return found


def _verify_with(app: Any, identity: Any) -> None:  # Any: ASGI applications, both FastAPI
    """Fetch the keys from identity's application itself: there is no port to ask."""
    assert isinstance(app, FastAPI)
    verifier = JwksVerifier(
        JWKS,
        issuer="https://preau.local",
        audience="preau",
        transport=httpx.ASGITransport(identity),
    )
    app.state.door = replace(app.state.door, verifier=verifier)


async def _open_elsewhere(own: Features) -> TenantId:
    opened = await open_tenant(own.tenants, OpenTenant("Elsewhere", FOREIGNER), "journeys")
    tenant, member = opened.tenant.tenant_id, opened.administrator.member_id
    caller = Caller(tenant, None, "journeys")
    token = await invite(own.sessions, caller, Invite(tenant, member))
    await accept_invitation(own.sessions, token, FOREIGN_PASSWORD, "journeys")
    return tenant


@asynccontextmanager
async def open_world(
    addresses: Addresses, home: Path, prefix: str = "journeys"
) -> AsyncIterator[World]:
    """Migrate, start all five, seed two tenants; stop everything when left.

    `prefix` begins the names of its databases: two worlds may stand on one server.
    """
    environment, bus = _environment(addresses, prefix), MemoryBus()
    spans = InMemorySpanExporter()
    telemetry = OtelTelemetry("journeys", sample=1.0, exporters=[spans])
    host = Host(bus, now, uuid7, telemetry, environment)
    await make_databases(addresses, prefix)
    for name in NAMES:
        await migrate(name, database_of(addresses, prefix, name, "owner"))
    await ensure_topics(bus)
    services = {name: Running(build(name, host)) for name in NAMES}
    identity = services["identity"].service
    for each in services.values():
        _verify_with(each.service.http, identity.http)
        await start(each, host)
    own = features(host, IdentitySettings.read(environment), identity.database)
    seeded, foreign = await seed(own, home), await _open_elsewhere(own)
    transport = httpx.ASGITransport(application(list(services.values())))
    inside = httpx.ASGITransport(inner_application(list(services.values())))
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://préau.test") as http,
        httpx.AsyncClient(transport=inside, base_url="http://inner.test") as inner,
    ):
        world = World(http, inner, bus, services, own, seeded, foreign, spans, host)
        await world.settle()
        yield world
    for each in services.values():
        await stop(each)
    await bus.close()
    telemetry.shutdown()


def member_of(token: str) -> UUID:
    """Read who a token is of, without verifying anything."""

    return UUID(jwt.decode(token, options={"verify_signature": False})["sub"])
