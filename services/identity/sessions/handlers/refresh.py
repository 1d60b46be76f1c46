"""Go on with a refresh token, which is good for one use."""

import secrets
from uuid import UUID

from services.identity.sessions.domain import SessionOver, Tokens
from services.identity.sessions.handlers.opening import hash_token, renew
from services.identity.sessions.ports import SessionsDeps
from shared.contracts.ids import TenantId
from shared.kit.unit import Caller


async def refresh(deps: SessionsDeps, token: str, correlation: str) -> Tokens:
    """Change a refresh token for the next. One that was used before ends its session.

    Raises `SessionOver`.
    """
    tenant, session_id = _parts(token)
    async with deps.unit(Caller(tenant, None, correlation)) as unit:
        session = await deps.sessions.find(unit, tenant, session_id)
        if session is not None and session.expires_at > deps.clock():
            if secrets.compare_digest(session.refresh_hash, hash_token(token)):
                return await renew(deps, unit, tenant, session_id, session.member_id)
            await deps.sessions.end(unit, session)
    raise SessionOver


def _parts(token: str) -> tuple[TenantId, UUID]:
    try:
        tenant, session_id, _ = token.split(".")
        return TenantId(UUID(tenant)), UUID(session_id)
    except ValueError as error:
        raise SessionOver from error
