"""Open a session, and hand out its tokens."""

import hashlib
import secrets
from uuid import UUID

from services.identity.sessions.domain import REFRESH_LIFETIME, Credential, Session, Tokens
from services.identity.sessions.ports import SessionsDeps
from shared.contracts.identity import SessionOpened
from shared.contracts.ids import MemberId, TenantId
from shared.kit.auth import LIFETIME
from shared.kit.unit import Unit


async def open_session(deps: SessionsDeps, unit: Unit, credential: Credential) -> Tokens:
    """Open a session for a member whose password was right, and give its first tokens."""
    session_id = deps.new_id()
    unit.record(SessionOpened(member_id=credential.member_id, method="password"))
    return await renew(deps, unit, credential.tenant_id, session_id, credential.member_id)


async def renew(
    deps: SessionsDeps, unit: Unit, tenant: TenantId, session_id: UUID, member_id: MemberId
) -> Tokens:
    """Give a session its next refresh token; the one before no longer holds."""
    token = f"{tenant}.{session_id}.{secrets.token_urlsafe(32)}"
    expires = deps.clock() + REFRESH_LIFETIME
    session = Session(tenant, session_id, member_id, hash_token(token), expires)
    await deps.sessions.put(unit, session)
    return Tokens(deps.signer.access(tenant, member_id, str(session_id)), token, LIFETIME)


def hash_token(token: str) -> bytes:
    """Hash a refresh token: it is random, so a fast hash is enough."""
    return hashlib.sha256(token.encode()).digest()
