"""A small service, `notes`, mounted like a real one; its dependencies are fakes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from fastapi import APIRouter, Response
from pydantic import Field
from starlette.applications import Starlette
from starlette.routing import Mount
from uuid_utils.compat import uuid7

from shared.contracts import example_data
from shared.contracts.identity import Role
from shared.contracts.ids import MemberId, StructureId, TenantId
from shared.kit.bus.memory.bus import MemoryBus
from shared.kit.core.access_tokens import Claims
from shared.kit.core.access_tokens import TokenVerifier as AnyVerifier
from shared.kit.core.errors import NotFound, Unauthorised
from shared.kit.core.host import Host, Telemetry
from shared.kit.core.policy import Actor, Allowed, Denied, Grant, Suspension, Verdict
from shared.kit.core.unit_of_work import Caller
from shared.kit.database.batched.unit import BatchedDatabase
from shared.kit.database.database import Database
from shared.kit.database.overload import LoadMonitor
from shared.kit.limiting.rate_counter import RateCounter
from shared.kit.limiting.route_limits import RouteLimits
from shared.kit.telemetry.noop import NoTelemetry
from shared.kit.web.app import web_app
from shared.kit.web.context import ActorDep, AppContext, CallerDep
from shared.kit.web.cursors import ApiModel
from shared.kit.web.routes import Routes

LOCALE = Path(__file__).with_name("locale")
UNREACHABLE_DATABASE_URL = "postgresql+asyncpg://notes_app@127.0.0.1:1/nowhere"
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


class NoteNotFound(NotFound):
    key = "note_not_found"


class Note(ApiModel):
    """A note."""

    text: str = Field(max_length=50, examples=["Le préau fuit ☔"])
    tags: tuple[str, ...] = ()
    more: dict[str, Any] | None = None


def is_member(actor: Actor) -> Verdict:
    """Allow every member but Hamid."""
    if actor.member_id == example_data.HAMID:
        return Denied("note.import.not_hamid")
    return Allowed("note.import.member")


class FakeVerifier:
    """`Bearer zoe` is Zoé, `Bearer hamid` is Hamid."""

    people: Mapping[str, UUID] = {"zoe": example_data.ZOE, "hamid": example_data.HAMID}

    async def verify(self, token: str) -> Claims:
        if token not in self.people:
            raise Unauthorised(reason="unknown")
        return Claims(MemberId(self.people[token]), example_data.TENANT, "session")


@dataclass
class FakeRights:
    """Zoé has no role, Hamid is an operator; the first `missing_lookups` find no member."""

    missing_lookups: int = 0
    suspended: bool = False
    lookups: int = 0

    async def find_actor(
        self, tenant: TenantId, member_id: MemberId, session: str | None = None
    ) -> Actor | None:
        self.lookups += 1
        if self.lookups <= self.missing_lookups:
            return None
        operator_grants = (Grant(Role.OPERATOR, StructureId(example_data.COLLEGE)),)
        return Actor(
            tenant,
            member_id,
            grants=operator_grants if member_id == example_data.HAMID else (),
            suspension=Suspension("insults", NOON) if self.suspended else None,
        )


@dataclass
class SampleApp:
    """The application with its fakes; records callers and actors."""

    telemetry: Telemetry = field(default_factory=NoTelemetry)
    rights: FakeRights = field(default_factory=FakeRights)
    url: str = UNREACHABLE_DATABASE_URL
    pressure: LoadMonitor | None = None
    routers: tuple[APIRouter, ...] = ()
    verifier: AnyVerifier = field(default_factory=FakeVerifier)
    limits: RouteLimits | None = None
    rates: RateCounter | None = None
    public_docs: bool = True
    callers: list[Caller] = field(default_factory=list)
    actors: list[Actor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.database = Database(
            "notes",
            self.url,
            clock=lambda: NOON,
            new_id=uuid7,
            trace=lambda *_: None,
            load_monitor=self.pressure,
        )
        self.batched = BatchedDatabase(self.database)
        host = Host(MemoryBus(), lambda: NOON, uuid7, self.telemetry, {})
        context = AppContext(host, self.batched, self.verifier, self.rights, rates=self.rates)
        features, extra = [self.note_routes()], self.extra_routers()
        self.app = web_app(
            *("notes", context, features, extra),
            locale=LOCALE,
            limits=self.limits,
            public_docs=self.public_docs,
        )

    def extra_routers(self) -> Sequence[APIRouter]:
        return self.routers

    def note_routes(self) -> Routes:
        routes = Routes("notes")

        @routes.post("/notes", action="note.write", status_code=201)
        async def write(caller: CallerDep, actor: ActorDep, note: Note) -> Note:
            self.callers.append(caller)
            self.actors.append(actor)
            return note

        @routes.get("/notes/{number}", action="note.read")
        async def read(number: int, limit: int = 1) -> Note:
            raise NoteNotFound(number=number, internal_reason="a secret")

        @routes.post(
            "/shelves/{shelf}/import",
            action="note.import",
            max_body_bytes=3_000_000,
            gate=is_member,
        )
        async def take_in(shelf: str, note: dict[str, Any]) -> dict[str, int]:
            return {"fields": len(note)}

        @routes.get("/reasons", action="note.reasons", access="suspended_too")
        async def reasons(actor: ActorDep) -> dict[str, bool]:
            return {"suspended": actor.suspension is not None}

        self._add_unauthenticated_routes(routes)
        return routes

    def _add_unauthenticated_routes(self, routes: Routes) -> None:
        @routes.post("/sign-in", action="session.open", access="anonymous")
        async def sign_in(note: Note) -> Note:
            return note

        @routes.post("/invitations/{number}", action="session.accept", access="anonymous")
        async def accept(number: int, note: Note) -> Note:
            return note

        @routes.get("/all", action="note.operate", access="operator")
        async def everything() -> Response:
            return Response(headers={"Cache-Control": "max-age=60"})

        @routes.delete("/failing", action="note.fail", access="anonymous")
        async def fail() -> None:
            raise RuntimeError("hunter2 is in this error")

    def client(self, user: str | None = "zoe", language: str = "en") -> httpx.AsyncClient:
        headers = {"Accept-Language": language}
        if user:
            headers["Authorization"] = f"Bearer {user}"
        mounted = Starlette(routes=[Mount("/notes", self.app, name="notes")])
        return httpx.AsyncClient(
            base_url="http://test/notes",
            transport=httpx.ASGITransport(mounted),
            headers=headers,
        )

    async def send(self, body: bytes, path: str = "/v1/notes", **headers: str) -> httpx.Response:
        all_headers = {"Content-Type": "application/json", **headers}
        async with self.client() as client:
            return await client.post(path, content=body, headers=all_headers)

    async def post(self, body: object, path: str = "/v1/notes", **headers: str) -> httpx.Response:
        return await self.send(json.dumps(body).encode(), path, **headers)
