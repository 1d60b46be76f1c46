"""Open a session, and issue its tokens."""

import hashlib

from services.identity.sessions.domain import Credential, Session, Tokens, session_expiry
from services.identity.sessions.ports import SessionsDeps
from shared.contracts.identity import SessionOpened
from shared.contracts.ids import SessionId
from shared.kit.core.access_tokens import LIFETIME_SECONDS
from shared.kit.core.unit_of_work import Unit


async def open_session(
    deps: SessionsDeps, unit: Unit, credential: Credential, device: str, client: str
) -> Tokens:
    """Open a session after the password was checked; returns its first tokens."""
    now = deps.clock()
    session = Session(
        tenant_id=credential.tenant_id,
        session_id=SessionId(deps.new_id()),
        member_id=credential.member_id,
        opened_at=now,
        last_used_at=now,
        expires_at=session_expiry(now, now),
        device=device,
        client=client,
    )
    unit.record(
        SessionOpened(member_id=session.member_id, method="password", session_id=session.session_id)
    )
    return await rotate_refresh_token(deps, unit, session)


async def rotate_refresh_token(deps: SessionsDeps, unit: Unit, session: Session) -> Tokens:
    """Replace a session's refresh token; returns the new tokens."""
    number = session.number + 1
    token = deps.tokens.refresh.derive(session.tenant_id, session.session_id, number)
    await deps.sessions.save(unit, session.with_next_token(hash_token(token), deps.clock()))
    return make_tokens(deps, session, token)


def make_tokens(deps: SessionsDeps, session: Session, refresh_token: str) -> Tokens:
    """Sign a new access token for the session, and return it with this refresh token."""
    access = deps.tokens.access.sign_access(
        session.tenant_id, session.member_id, str(session.session_id)
    )
    return Tokens(access, refresh_token, LIFETIME_SECONDS)


def hash_token(token: str) -> bytes:
    """Hash a refresh token; it cannot be guessed, so a fast hash is enough."""
    return hashlib.sha256(token.encode()).digest()
