"""Sign in with a password, and go on with a refresh token that is good for one use."""

import hashlib
import secrets
from dataclasses import dataclass
from uuid import UUID

from services.identity.sessions.domain import (
    LOCKED_FOR,
    MAX_FAILURES,
    REFRESH_LIFETIME,
    Credential,
    Session,
    SessionOver,
    Tokens,
    TooManyFailures,
    WrongCredentials,
)
from services.identity.sessions.ports import SessionsDeps
from shared.contracts.identity import SessionOpened
from shared.contracts.ids import MemberId, TenantId
from shared.kit.auth import LIFETIME
from shared.kit.unit import Caller, Unit

NOBODY = TenantId(UUID(int=0))


@dataclass(frozen=True)
class SignIn:
    """Who says they are whom: the tenant's slug, an address, a password."""

    tenant: str
    email: str
    password: str


async def sign_in(deps: SessionsDeps, command: SignIn, correlation: str) -> Tokens:
    """Open a session. Raises `WrongCredentials` and `TooManyFailures`, and says no more."""
    credential = await _find(deps, command, correlation)
    now = deps.clock()
    if credential and credential.locked_until and credential.locked_until > now:
        wait = int((credential.locked_until - now).total_seconds()) + 1
        raise TooManyFailures(retry_after=wait)
    known = credential.password_hash if credential else None
    matches = await deps.hasher.matches(known, command.password)
    if credential is None:
        raise WrongCredentials
    caller = Caller(credential.tenant_id, credential.member_id, correlation)
    async with deps.unit(caller) as unit:
        if matches:
            await deps.credentials.count_failure(unit, credential, 0, None)
            return await _open(deps, unit, credential)
        failures = credential.failures + 1
        locked = now + LOCKED_FOR if failures >= MAX_FAILURES else None
        await deps.credentials.count_failure(unit, credential, failures, locked)
    raise WrongCredentials


async def _find(deps: SessionsDeps, command: SignIn, correlation: str) -> Credential | None:
    async with deps.unit(Caller(NOBODY, None, correlation)) as unit:
        tenant = await deps.directory.tenant_id_of(unit, command.tenant)
    if tenant is None:
        return None
    async with deps.unit(Caller(tenant, None, correlation)) as unit:
        return await deps.credentials.find_by_email(unit, tenant, command.email)


async def _open(deps: SessionsDeps, unit: Unit, credential: Credential) -> Tokens:
    session_id = deps.new_id()
    unit.record(SessionOpened(member_id=credential.member_id, method="password"))
    return await _renew(deps, unit, credential.tenant_id, session_id, credential.member_id)


async def refresh(deps: SessionsDeps, token: str, correlation: str) -> Tokens:
    """Change a refresh token for the next. One that was used before ends its session.

    Raises `SessionOver`.
    """
    tenant, session_id = _parts(token)
    async with deps.unit(Caller(tenant, None, correlation)) as unit:
        session = await deps.sessions.find(unit, tenant, session_id)
        if session is not None and session.expires_at > deps.clock():
            if secrets.compare_digest(session.refresh_hash, _hash(token)):
                return await _renew(deps, unit, tenant, session_id, session.member_id)
            await deps.sessions.end(unit, session)
    raise SessionOver


async def _renew(
    deps: SessionsDeps, unit: Unit, tenant: TenantId, session_id: UUID, member_id: MemberId
) -> Tokens:
    token = f"{tenant}.{session_id}.{secrets.token_urlsafe(32)}"
    expires = deps.clock() + REFRESH_LIFETIME
    await deps.sessions.put(unit, Session(tenant, session_id, member_id, _hash(token), expires))
    return Tokens(deps.signer.access(tenant, member_id, str(session_id)), token, LIFETIME)


def _parts(token: str) -> tuple[TenantId, UUID]:
    try:
        tenant, session_id, _ = token.split(".")
        return TenantId(UUID(tenant)), UUID(session_id)
    except ValueError as error:
        raise SessionOver from error


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
