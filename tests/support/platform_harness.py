"""The five services in one process, and requests to them as users."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import jwt
import sqlalchemy as sa
from fastapi import FastAPI
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from uuid_utils.compat import uuid7

from deploy.local.seed import SLUG, SeededTenant, seed_first_tenant
from deploy.local.stack import StackAddresses
from services.identity.features import Features, build_features
from services.identity.sessions.handlers.invite import (
    InviteMember,
    accept_invitation,
    invite_member,
)
from services.identity.settings import IdentitySettings
from services.identity.tenants.handlers.open_tenant import OpenTenant, open_tenant
from shared.contracts.ids import TenantId
from shared.kit.bus.memory.bus import MemoryBus
from shared.kit.core.clock import utc_now
from shared.kit.core.host import Host
from shared.kit.core.unit_of_work import Caller
from shared.kit.database.migrations import migrate
from shared.kit.runtime.http_server import inner_application, public_application
from shared.kit.runtime.runner import (
    RunningService,
    build_service,
    ensure_topics,
    start_service,
    stop_service,
)
from shared.kit.telemetry.otel import OtelTelemetry
from shared.kit.web.tokens import JwksVerifier
from tests.support.platform_databases import SERVICE_NAMES, create_databases, database_of
from tests.support.platform_environment import JWKS_URL, build_environment

OTHER_TENANT_EMAIL = "ulla@elsewhere.example"
OTHER_TENANT_PASSWORD = "ein langes Passwort 🗝"
TIMEOUT_SECONDS = 10.0
_COUNT_OUTBOX_ROWS = sa.text("SELECT count(*) FROM outbox")
Json = dict[str, Any]


@dataclass
class PlatformHarness:
    """Five running services; each user signs in on first use, `anonymous` never."""

    http: httpx.AsyncClient
    internal_http: httpx.AsyncClient
    bus: MemoryBus
    services: dict[str, RunningService]
    features: Features
    seeded: SeededTenant
    other_tenant: TenantId
    spans: InMemorySpanExporter
    host: Host
    tokens: dict[str, str] = field(default_factory=dict)

    async def sign_in(self, user: str, **more: object) -> Json:
        """Open a session for a user; return its tokens."""
        email = f"{user}@demo.example"
        tenant, password = SLUG, self.seeded.passwords.get(email, "")
        if user == "ulla":
            tenant, email, password = "elsewhere", OTHER_TENANT_EMAIL, OTHER_TENANT_PASSWORD
        body: Json = {"tenant": tenant, "email": email, "password": password}
        response = await self.http.post("/identity/v1/sessions", json=body | more)
        assert response.status_code == 201, response.text
        payload: Json = response.json()
        return payload

    async def _get_token(self, user: str) -> str:
        if user == "operator":  # the operator has no sign-in: the platform signs the token
            signer = self.features.sessions.tokens.access
            return signer.sign_access(self.seeded.tenant, self.seeded.operator, "local")
        return str((await self.sign_in(user))["access_token"])

    async def request(
        self, user: str, method: str, path: str, body: object = None, **headers: str
    ) -> httpx.Response:
        """Send a request as a user; return any response."""
        all_headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if user != "anonymous":
            if user not in self.tokens:
                self.tokens[user] = await self._get_token(user)
            all_headers.setdefault("authorization", f"Bearer {self.tokens[user]}")
        response = await self.http.request(method, path, json=body, headers=all_headers)
        if (
            response.status_code == 401
            and response.content
            and response.json()["type"].endswith("/session_ended")
        ):
            # A suspended member signs in again after reinstatement.
            self.tokens[user] = await self._get_token(user)
            all_headers["authorization"] = f"Bearer {self.tokens[user]}"
            return await self.http.request(method, path, json=body, headers=all_headers)
        return response

    async def request_ok(
        self, user: str, method: str, path: str, body: object = None, **headers: str
    ) -> Json:
        """Send a request as a user; it must succeed. Returns its JSON body."""
        response = await self.request(user, method, path, body, **headers)
        assert response.is_success, (
            f"{user} {method} {path}: {response.status_code} {response.text}"
        )
        payload: Json = response.json() if response.content else {}
        return payload

    async def wait_until(self, probe: Callable[[], Awaitable[Json | None]]) -> Json:
        """Call `probe` until it returns a value, at most `TIMEOUT_SECONDS`."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while (result := await probe()) is None:  # noqa: ASYNC110  the probe sends HTTP requests
                await asyncio.sleep(0.01)
        return result

    async def wait_for_notification(
        self, user: str, category: str, about: str | None = None
    ) -> Json:
        """Wait for a notification of a category, and about an id if given."""

        async def find_notification() -> Json | None:
            items = (await self.request_ok(user, "GET", "/notifications/v1/inbox"))["items"]
            same_category = (item for item in items if item["category"] == category)
            return next((item for item in same_category if about in {None, item["about"]}), None)

        return await self.wait_until(find_notification)

    async def wait_for_standing(self, user: str, content: str, standing: str | None) -> Json:
        """Wait until a user sees a content in this standing; None: until they cannot see it."""

        async def find_content() -> Json | None:
            response = await self.request(user, "GET", f"/community/v1/contents/{content}")
            if response.status_code == 404:
                return {} if standing is None else None
            shown = [item for item in response.json()["items"] if item["content_id"] == content]
            return next((item for item in shown if item["standing"] == standing), None)

        return await self.wait_until(find_content)

    async def wait_for_case(self, content: str) -> Json:
        """Wait for the case of a content in Omar's queue."""

        async def find_case() -> Json | None:
            items = (await self.request_ok("omar", "GET", "/moderation/v1/cases"))["items"]
            return next((item for item in items if item["content_id"] == content), None)

        return await self.wait_until(find_case)

    async def decide_case(self, case: Json, action: str) -> Json:
        """Decide a case as Omar, on its latest version."""
        path = f"/moderation/v1/cases/{case['case_id']}"
        await self.request_ok("omar", "POST", f"{path}/claim")
        version = (await self.request_ok("omar", "GET", path))["version"]
        reason = {"policy": "insult", "reason": "insult.direct"}
        body = {"version": version, "action": action, **reason}
        return await self.request_ok("omar", "POST", f"{path}/decision", body)

    async def school_id(self) -> str:
        """Return the id of the first tenant's school."""
        tree = await self.request_ok("claire", "GET", "/identity/v1/structures")
        return str(next(e["structure_id"] for e in tree["items"] if e["kind"] == "school"))

    async def open_space(self, *users: str) -> str:
        """Open a space of the school with these members."""
        body = {"name": f"Salle n° {uuid7()} 🎈", "structure_id": await self.school_id()}
        space = await self.request_ok("claire", "POST", "/community/v1/spaces", body)
        for user in users:
            await self.request_ok(user, "POST", f"/community/v1/spaces/{space['space_id']}/members")
        return str(space["space_id"])

    async def publish_post(self, user: str, space: str, body: str, kind: str = "discussion") -> str:
        """Publish a post; return its id."""
        new = {"kind": kind, "title": "Où ça ? 🤔", "body": body}
        post = await self.request_ok(user, "POST", f"/community/v1/spaces/{space}/posts", new)
        return str(post["content_id"])

    async def publish_reply(self, user: str, parent: str, body: str, kind: str = "comments") -> str:
        """Publish an answer or a comment; return its id."""
        path = f"/community/v1/contents/{parent}/{kind}"
        return str((await self.request_ok(user, "POST", path, {"body": body}))["content_id"])

    async def flag_content(self, user: str, content: str) -> None:
        """Flag a content for harassment."""
        path = f"/community/v1/contents/{content}/flags"
        await self.request_ok(user, "POST", path, {"reason": "harassment"})

    async def wait_until_idle(self) -> None:
        """Wait until all outboxes are empty and all records are applied."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            idle_rounds = 0
            while idle_rounds < 2:
                await self.bus.wait_until_idle(TIMEOUT_SECONDS)
                outbox_rows = [await self._count_outbox_rows(name) for name in self.services]
                is_idle = not any((*outbox_rows, *self.bus.lag().values()))
                idle_rounds = idle_rounds + 1 if is_idle else 0
                await asyncio.sleep(0.01)

    async def _count_outbox_rows(self, name: str) -> int:
        database = self.services[name].service.database
        (row,) = await database.execute_once(_COUNT_OUTBOX_ROWS)
        return int(row[0])


def _set_key_source(app: Any, identity: Any) -> None:  # Any: ASGI applications, both FastAPI
    """Let an application fetch signing keys from identity without a network port."""
    assert isinstance(app, FastAPI)
    verifier = JwksVerifier(
        JWKS_URL,
        issuer="https://preau.local",
        audience="preau",
        transport=httpx.ASGITransport(identity),
    )
    app.state.context = replace(app.state.context, verifier=verifier)


async def _start_services(host: Host) -> dict[str, RunningService]:
    services = {name: RunningService(build_service(name, host)) for name in SERVICE_NAMES}
    for running in services.values():
        _set_key_source(running.service.http, services["identity"].service.http)
        await start_service(running, host)
    return services


async def _open_other_tenant(features: Features) -> TenantId:
    result = await open_tenant(
        features.tenants, OpenTenant("Elsewhere", OTHER_TENANT_EMAIL), "journeys"
    )
    tenant, member = result.tenant.tenant_id, result.administrator.member_id
    caller = Caller(tenant, None, "journeys")
    token = await invite_member(features.sessions, caller, InviteMember(tenant, member))
    await accept_invitation(features.sessions, token, OTHER_TENANT_PASSWORD, "journeys")
    return tenant


@asynccontextmanager
async def start_platform(
    addresses: StackAddresses, home: Path, prefix: str = "journeys"
) -> AsyncIterator[PlatformHarness]:
    """Migrate and start all five services, seed two tenants; stop everything at exit.

    `prefix` begins the names of the databases: one server may have two harnesses.
    """
    environment, bus = build_environment(addresses, prefix), MemoryBus()
    spans = InMemorySpanExporter()
    telemetry = OtelTelemetry("journeys", sample_ratio=1.0, exporters=[spans])
    host = Host(bus, utc_now, uuid7, telemetry, environment)
    await create_databases(addresses, prefix)
    for name in SERVICE_NAMES:
        await migrate(name, database_of(addresses, prefix, name, "owner"))
    await ensure_topics(bus)
    services = await _start_services(host)
    settings = IdentitySettings.from_environment(environment)
    features = build_features(host, settings, services["identity"].service.database)
    seeded = await seed_first_tenant(features, home)
    other_tenant = await _open_other_tenant(features)
    transport = httpx.ASGITransport(public_application(list(services.values())))
    inner_transport = httpx.ASGITransport(inner_application(list(services.values())))
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://préau.test") as http,
        httpx.AsyncClient(transport=inner_transport, base_url="http://inner.test") as internal_http,
    ):
        platform = PlatformHarness(
            http, internal_http, bus, services, features, seeded, other_tenant, spans, host
        )
        await platform.wait_until_idle()
        yield platform
    for running in services.values():
        await stop_service(running)
    await bus.close()
    telemetry.shutdown()


def member_id_of(token: str) -> UUID:
    """Return the member id in a token, without verifying it."""

    return UUID(jwt.decode(token, options={"verify_signature": False})["sub"])
