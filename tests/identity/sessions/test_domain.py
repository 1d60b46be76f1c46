"""Sign-in and refresh against in-memory ports: when a session opens and ends."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.identity.sessions.domain import (
    MAX_ROTATIONS,
    REFRESH_GRACE,
    REFRESH_LIFETIME,
    SESSION_LIFETIME,
    SessionOver,
    WrongCredentials,
)
from services.identity.sessions.handlers.sign_in import SignIn, sign_in
from shared.contracts.example_data import NOON, TENANT, ZOE
from shared.contracts.identity import SessionEnd, SessionEnded, SessionOpened
from shared.kit.core.policy import Suspension
from shared.kit.core.suspension import MemberSuspended
from tests.identity.sessions.sessions_harness import RIGHT, WRONG, SessionsHarness

GRACE_SECONDS = REFRESH_GRACE.total_seconds()


async def test_session_opened_event_contains_no_secret() -> None:
    harness = SessionsHarness()
    token = await harness.sign_in(device="phone", client="Firefox, Android")
    (session,) = harness.sessions.values()
    assert harness.facts == [
        SessionOpened(member_id=ZOE, method="password", session_id=session.session_id)
    ]
    assert token.encode() not in session.refresh_hash
    assert session.expires_at == NOON + REFRESH_LIFETIME
    assert (session.device, session.client) == ("phone", "Firefox, Android")


@pytest.mark.parametrize(
    ("tenant", "email"), [("academie", "x@y.example"), ("ailleurs", "zoé@demo.example")]
)
async def test_unknown_member_gets_same_error_as_wrong_password(tenant: str, email: str) -> None:
    with pytest.raises(WrongCredentials):
        await sign_in(SessionsHarness().deps, SignIn(tenant, email, RIGHT), "test")


async def test_suspension_reason_needs_the_right_password() -> None:
    harness = SessionsHarness()
    token = await harness.sign_in()
    harness.suspension = Suspension("insults", NOON + timedelta(days=3))
    with pytest.raises(WrongCredentials):
        await harness.sign_in(WRONG)
    for attempt in (harness.sign_in(), harness.refresh(token)):
        with pytest.raises(MemberSuspended) as caught:
            await attempt
        assert caught.value.facts["reason"] == "insults"
    reading = await harness.sign_in(suspended_too=True)
    with pytest.raises(MemberSuspended):
        await harness.refresh(reading)


async def test_right_password_is_rehashed_when_parameters_changed() -> None:
    harness = SessionsHarness()
    harness.outdated = True
    with pytest.raises(WrongCredentials):
        await harness.sign_in(WRONG)
    assert harness.credential.password_hash == RIGHT
    await harness.sign_in()
    assert harness.credential.password_hash == f"{RIGHT} anew"
    await harness.sign_in()
    assert harness.credential.password_hash == f"{RIGHT} anew"


async def test_password_changed_during_comparison_opens_no_session() -> None:
    harness = SessionsHarness()
    compare = harness.matches

    async def compared_while_changed(password_hash: str | None, password: str) -> bool:
        is_right = await compare(password_hash, password)
        harness.credential = replace(harness.credential, password_hash="another")
        return is_right

    harness.matches = compared_while_changed  # type: ignore[method-assign]
    with pytest.raises(WrongCredentials):
        await harness.sign_in()
    assert not harness.sessions


async def test_rotated_token_returns_latest_token_within_grace() -> None:
    harness = SessionsHarness()
    first = await harness.sign_in()
    harness.advance_clock(600)
    second = await harness.refresh(first)
    harness.advance_clock(GRACE_SECONDS)
    assert await harness.refresh(first) == second


async def test_token_reused_after_grace_ends_session_with_event() -> None:
    harness = SessionsHarness()
    first = await harness.sign_in()
    second = await harness.refresh(first)
    harness.advance_clock(GRACE_SECONDS + 1)
    for token in (first, second):
        with pytest.raises(SessionOver) as caught:
            await harness.refresh(token)
        assert caught.value.facts == {"reason": "reused"}
    (session,) = harness.sessions.values()
    assert harness.facts[1:] == [
        SessionEnded(member_id=ZOE, session_id=session.session_id, reason=SessionEnd.REUSED)
    ]


async def test_concurrent_rotations_stop_at_max_rotations() -> None:
    harness = SessionsHarness()
    tokens = [await harness.sign_in()]
    for _ in range(3 * MAX_ROTATIONS):
        tokens.append(await harness.refresh(tokens[-1]))
    assert len(set(tokens)) == MAX_ROTATIONS
    assert {await harness.refresh(token) for token in tokens} == {tokens[-1]}


async def test_unused_session_expires_after_refresh_lifetime() -> None:
    harness = SessionsHarness()
    token = await harness.sign_in()
    harness.now += REFRESH_LIFETIME - timedelta(seconds=1)
    token = await harness.refresh(token)
    harness.now += REFRESH_LIFETIME
    with pytest.raises(SessionOver) as caught:
        await harness.refresh(token)
    assert caught.value.facts == {"reason": "expired"}


async def test_session_ends_90_days_after_sign_in_despite_refreshes() -> None:
    harness = SessionsHarness()
    token = await harness.sign_in()
    while harness.now + timedelta(days=7) < NOON + SESSION_LIFETIME:
        harness.now += timedelta(days=7)
        token = await harness.refresh(token)
    harness.now = NOON + SESSION_LIFETIME
    with pytest.raises(SessionOver):
        await harness.refresh(token)


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", f"{TENANT}.nope.1.x", "é🗝", "...."])
async def test_malformed_refresh_token_is_refused(token: str) -> None:
    with pytest.raises(SessionOver):
        await SessionsHarness().refresh(token)
