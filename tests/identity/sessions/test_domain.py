"""Signing in, against small fakes: what a session is, and when it ends."""

from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.identity.sessions.domain import (
    REFRESH_LIFETIME,
    Credential,
    Device,
    Session,
    SessionOver,
    WrongCredentials,
)
from services.identity.sessions.handlers.refresh import refresh
from services.identity.sessions.handlers.sign_in import SignIn, sign_in
from services.identity.sessions.ports import SessionsDeps
from shared.contracts.cast import NOON, TENANT, ZOE
from shared.contracts.identity import SessionOpened
from shared.kit.limiting.memory import MemoryLimiter

RIGHT, WRONG = "Un long mot de passe 🗝", "raté"


class House:
    """Every port of the feature, in memory; the clock stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOON
        self.facts: list[object] = []
        self.credential = Credential(TENANT, ZOE, RIGHT)
        self.kept: dict[UUID, Session] = {}
        ports: Any = self  # Any: one fake for all of them
        self.deps = SessionsDeps(
            ports.unit,
            ports,
            ports,
            ports,
            ports,
            ports,
            lambda: self.now,
            uuid4,
            MemoryLimiter(),
        )

    @asynccontextmanager
    async def unit(self, caller: object) -> Any:
        yield self

    def record(self, fact: object) -> None:
        self.facts.append(fact)

    async def find(self, unit: object, tenant: object, session_id: UUID) -> Session | None:
        return self.kept.get(session_id)

    async def tenant_id_of(self, unit: object, slug: str) -> object:
        return TENANT if slug == "academie" else None

    async def find_by_email(self, unit: object, tenant: object, email: str) -> Credential | None:
        return self.credential if (tenant, email) == (TENANT, "zoé@demo.example") else None

    async def matches(self, password_hash: str | None, password: str) -> bool:
        return password_hash == password

    async def put(self, unit: object, session: Session) -> None:
        self.kept[session.session_id] = session

    async def end(self, unit: object, session: Session) -> None:
        del self.kept[session.session_id]

    def access(self, tenant: object, member_id: object, session: str) -> str:
        return f"access of {member_id}"

    def device(self, device: Device) -> str:
        return "device"

    async def sign_in(self, password: str = RIGHT, email: str = "zoé@demo.example") -> str:
        signed_in = await sign_in(self.deps, SignIn("academie", email, password), "test")
        return signed_in.tokens.refresh


async def test_who_signs_in_has_a_session_and_the_fact_names_nothing_secret() -> None:
    house = House()
    token = await house.sign_in()
    (session,) = house.kept.values()
    assert house.facts == [SessionOpened(member_id=ZOE, method="password")]
    assert token.encode() not in session.refresh_hash
    assert session.expires_at == NOON + REFRESH_LIFETIME


@pytest.mark.parametrize(
    ("tenant", "email"), [("academie", "x@y.example"), ("ailleurs", "zoé@demo.example")]
)
async def test_who_is_unknown_is_told_what_a_wrong_password_is(tenant: str, email: str) -> None:
    with pytest.raises(WrongCredentials):
        await sign_in(House().deps, SignIn(tenant, email, RIGHT), "test")


async def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_session() -> None:
    house = House()
    first = await house.sign_in()
    second = (await refresh(house.deps, first, "test")).refresh
    with pytest.raises(SessionOver):
        await refresh(house.deps, first, "test")
    assert not house.kept
    with pytest.raises(SessionOver):
        await refresh(house.deps, second, "test")


async def test_a_session_ends_at_its_moment() -> None:
    house = House()
    token = await house.sign_in()
    house.now += REFRESH_LIFETIME - timedelta(seconds=1)
    token = (await refresh(house.deps, token, "test")).refresh
    house.now += REFRESH_LIFETIME
    with pytest.raises(SessionOver):
        await refresh(house.deps, token, "test")


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", f"{TENANT}.nope.x", "é🗝"])
async def test_what_is_no_refresh_token_is_refused(token: str) -> None:
    with pytest.raises(SessionOver):
        await refresh(House().deps, token, "test")
