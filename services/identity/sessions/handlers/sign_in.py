"""Sign in with a password."""

from dataclasses import dataclass
from uuid import UUID

from services.identity.sessions.domain import (
    LOCKED_FOR,
    MAX_FAILURES,
    Credential,
    Tokens,
    TooManyFailures,
    WrongCredentials,
)
from services.identity.sessions.handlers.opening import open_session
from services.identity.sessions.ports import SessionsDeps
from shared.contracts.ids import TenantId
from shared.kit.unit import Caller

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
            return await open_session(deps, unit, credential)
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
