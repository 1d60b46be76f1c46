"""Go on with a refresh token: it is changed for the next, and its reuse ends the session.

A token that was changed a moment ago gives what it gave then: two tabs may ask at once, and an
answer may be lost. A token that was never given out ends nothing.
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

_LONGEST_NUMBER = 9


@dataclass(frozen=True)
class _Token:
    """What a refresh token says of itself."""

    text: str
    tenant: TenantId
    session_id: UUID
    number: int


async def refresh(deps: SessionsDeps, token: str, correlation: str) -> Tokens:
    """Change a refresh token for the next.

    Raises `SessionOver`, with its reason when the token was really given, and `MemberSuspended`.
    """
    read = _read(token)
    async with deps.unit(Caller(read.tenant, None, correlation)) as unit:
        session = await deps.sessions.find(unit, read.tenant, read.session_id)
        if session is None or not _is_ours(deps, session, read):
            raise SessionOver
        await _refuse_stopped(deps, unit, session)
        use = session.classify_token(read.number, unit.now)
        if use is RefreshTokenState.CURRENT:
            return await rotate_refresh_token(deps, unit, session)
        if use is RefreshTokenState.RECENT:
            last = deps.refresh_tokens.derive(session.tenant_id, session.session_id, session.number)
            return make_tokens(deps, session, last)
        thief = Caller(session.tenant_id, session.member_id, correlation)
        member = (session.tenant_id, session.member_id)
        reused = SessionEnd.REUSED
        await end_sessions(
            deps.sessions, unit, member, reused, only=session.session_id, caused_by=thief
        )
    raise SessionOver(reason=reused.value)


def _is_ours(deps: SessionsDeps, session: Session, token: _Token) -> bool:
    """Return whether this service issued the token: by derivation, or by its hash."""
    derived = deps.refresh_tokens.derive(session.tenant_id, session.session_id, token.number)
    if secrets.compare_digest(derived.encode(), token.text.encode()):
        return 0 < token.number <= session.number
    is_last = token.number == session.number
    return is_last and secrets.compare_digest(session.refresh_hash, hash_token(token.text))


async def _refuse_stopped(deps: SessionsDeps, unit: Unit, session: Session) -> None:
    """Refuse a suspended member, an ended session and an expired one, in words that tell why."""
    suspension = await deps.member_lookup.suspension_of(unit, session.tenant_id, session.member_id)
    if suspension is not None:
        raise MemberSuspended.from_suspension(suspension)
    if session.ended_because is not None:
        raise SessionOver(reason=session.ended_because.value)
    if session.expires_at <= unit.now:
        raise SessionOver(reason="expired")


def _read(token: str) -> _Token:
    try:
        tenant, session_id, number, _ = token.split(".")
        if not (number.isascii() and number.isdigit() and len(number) <= _LONGEST_NUMBER):
            raise SessionOver
        return _Token(token, TenantId(UUID(tenant)), UUID(session_id), int(number))
    except ValueError as error:
        raise SessionOver from error
