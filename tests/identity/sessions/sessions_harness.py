"""Sessions with every port in memory, real refresh tokens and a manual clock."""

from collections.abc import Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from services.identity.sessions.domain import Credential, Device, GuessLimits, Session
from services.identity.sessions.handlers.refresh import refresh
from services.identity.sessions.handlers.sign_in import SignIn, sign_in
from services.identity.sessions.ports import (
    AttemptDeps,
    PasswordDeps,
    SessionsDeps,
    TokenDeps,
)
from services.identity.sessions.store.refresh_tokens import HmacRefreshTokens
from shared.contracts.example_data import NOON, TENANT, ZOE
from shared.contracts.identity import SessionEnd
from shared.contracts.ids import SessionId
from shared.kit.core.policy import Suspension
from shared.kit.limiting.memory import MemoryLimiter
from tests.identity.sessions.sign_in_harness import PEM

RIGHT, WRONG = "Un long mot de passe 🗝", "raté"
EMAIL = "zoé@demo.example"
REFRESH_TOKENS = HmacRefreshTokens(PEM)


class SessionsHarness:
    """Zoé has a password; recorded events are in `facts`."""

    def __init__(self) -> None:
        self.now = NOON
        self.facts: list[object] = []
        self.credential = Credential(TENANT, ZOE, RIGHT)
        self.sessions: dict[UUID, Session] = {}
        self.suspension: Suspension | None = None
        self.outdated = False
        ports: Any = self  # Any: one fake for all of them
        self.deps = SessionsDeps(
            unit=ports.unit,
            clock=lambda: self.now,
            new_id=uuid4,
            tenant_directory=ports,
            member_lookup=ports,
            sessions=ports,
            invitations=ports,
            passwords=PasswordDeps(credentials=ports, hasher=ports, strength=ports),
            tokens=TokenDeps(access=ports, refresh=REFRESH_TOKENS, invitation=ports, device=ports),
            attempts=AttemptDeps(MemoryLimiter(), GuessLimits()),
        )

    def advance_clock(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @asynccontextmanager
    async def unit(self, caller: object) -> Any:
        yield self

    def record(self, fact: object, caused_by: object = None) -> None:
        self.facts.append(fact)

    def audit(self, caller: object, action: str, subject: object) -> None: ...

    async def find(self, unit: object, tenant: object, session_id: UUID) -> Session | None:
        return self.sessions.get(session_id)

    async def tenant_id_of(self, unit: object, slug: str) -> object:
        return TENANT if slug == "academie" else None

    async def find_by_email(self, unit: object, tenant: object, email: str) -> Credential | None:
        is_known = (tenant, email) == (TENANT, EMAIL)
        return replace(self.credential, suspension=self.suspension) if is_known else None

    async def lock_if_current(self, unit: object, credential: Credential) -> bool:
        return credential == replace(self.credential, suspension=self.suspension)

    async def replace_hash(self, unit: object, credential: Credential, new: str) -> bool:
        self.credential = replace(self.credential, password_hash=new)
        return True

    async def suspension_of(self, *_: object) -> Suspension | None:
        return self.suspension

    async def matches(self, password_hash: str | None, password: str) -> bool:
        return (password_hash or "").removesuffix(" anew") == password

    async def hash(self, password: str) -> str:
        return f"{password} anew"

    def is_outdated(self, password_hash: str) -> bool:
        return self.outdated and not password_hash.endswith(" anew")

    async def save(self, unit: object, session: Session) -> None:
        self.sessions[session.session_id] = session

    async def end(
        self, unit: object, member: object, reason: SessionEnd, *, only: UUID, excluding: None
    ) -> Sequence[SessionId]:
        self.sessions[only] = replace(self.sessions[only], ended_because=reason)
        return [SessionId(only)]

    def sign_access(self, tenant: object, member_id: object, session: str) -> str:
        return f"access of {member_id}"

    def sign_device(self, device: Device) -> str:
        return "device"

    async def sign_in(self, password: str = RIGHT, email: str = EMAIL, **overrides: Any) -> str:
        command = SignIn("academie", email, password, **overrides)
        return (await sign_in(self.deps, command, "test")).tokens.refresh

    async def refresh(self, token: str) -> str:
        return (await refresh(self.deps, token, "test")).refresh
