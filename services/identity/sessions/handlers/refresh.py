"""Refresh a session: rotate its refresh token; reuse of an old token ends the session.

A token that was rotated within the grace gets the latest token again, because two tabs may refresh
at the same time and a response may be lost. A forged token ends nothing.
"""

import secrets
from dataclasses import dataclass
from uuid import UUID

from services.identity.sessions.domain import RefreshTokenState, Session, SessionOver, Tokens
from services.identity.sessions.handlers.end_sessions import end_sessions
from services.identity.sessions.handlers.open_session import (
    hash_token,
    make_tokens,
    rotate_refresh_token,
)
from services.identity.sessions.ports import SessionsDeps
from shared.contracts.identity import SessionEnd
from shared.contracts.ids import TenantId
from shared.kit.core.suspension import MemberSuspended
from shared.kit.core.unit_of_work import Caller, Unit

_MAX_NUMBER_DIGITS = 9


@dataclass(frozen=True)
class _Token:
    """The parts of a refresh token, not yet verified."""

    text: str
    tenant: TenantId
    session_id: UUID
    number: int


async def refresh(deps: SessionsDeps, token: str, correlation: str) -> Tokens:
    """Rotate a refresh token and return new tokens.

    Raises `SessionOver`, with a reason if the token is genuine, and `MemberSuspended`.
    """
    parsed = _parse(token)
    async with deps.unit(Caller(parsed.tenant, None, correlation)) as unit:
        session = await deps.sessions.find(unit, parsed.tenant, parsed.session_id)
        if session is None or not _is_genuine(deps, session, parsed):
            raise SessionOver
        await _check_usable(deps, unit, session)
        state = session.classify_token(parsed.number, unit.now)
        if state is RefreshTokenState.CURRENT:
            return await rotate_refresh_token(deps, unit, session)
        if state is RefreshTokenState.RECENT:
            latest = deps.tokens.refresh.derive(
                session.tenant_id, session.session_id, session.number
            )
            return make_tokens(deps, session, latest)
        cause = Caller(session.tenant_id, session.member_id, correlation)
        member = (session.tenant_id, session.member_id)
        reused = SessionEnd.REUSED
        await end_sessions(
            deps.sessions, unit, member, reused, only=session.session_id, caused_by=cause
        )
    raise SessionOver(reason=reused.value)


def _is_genuine(deps: SessionsDeps, session: Session, token: _Token) -> bool:
    """Return whether the token was issued: it can be derived or, after a key change, is stored."""
    derived = deps.tokens.refresh.derive(session.tenant_id, session.session_id, token.number)
    if secrets.compare_digest(derived.encode(), token.text.encode()):
        return 0 < token.number <= session.number
    is_last = token.number == session.number
    return is_last and secrets.compare_digest(session.refresh_hash, hash_token(token.text))


async def _check_usable(deps: SessionsDeps, unit: Unit, session: Session) -> None:
    """Refuse a suspended member, an ended session and an expired one. Raises with the reason."""
    suspension = await deps.member_lookup.suspension_of(unit, session.tenant_id, session.member_id)
    if suspension is not None:
        raise MemberSuspended.from_suspension(suspension)
    if session.ended_because is not None:
        raise SessionOver(reason=session.ended_because.value)
    if session.expires_at <= unit.now:
        raise SessionOver(reason="expired")


def _parse(token: str) -> _Token:
    try:
        tenant, session_id, number, _ = token.split(".")
        if not (number.isascii() and number.isdigit() and len(number) <= _MAX_NUMBER_DIGITS):
            raise SessionOver
        return _Token(token, TenantId(UUID(tenant)), UUID(session_id), int(number))
    except ValueError as error:
        raise SessionOver from error
