"""Sign in with a password."""

from dataclasses import dataclass
from uuid import UUID

from services.identity.sessions.domain import (
    Credential,
    Device,
    SignedIn,
    WrongCredentials,
    normalise_password,
    password_fingerprint,
)
from services.identity.sessions.handlers.attempts import limit_attempts
from services.identity.sessions.handlers.open_session import open_session
from services.identity.sessions.handlers.passwords import password_matches
from services.identity.sessions.policy import guess_from_device, guess_of_stranger
from services.identity.sessions.ports import SessionsDeps
from shared.contracts.ids import MemberId, TenantId
from shared.kit.core.suspension import MemberSuspended
from shared.kit.core.unit_of_work import Caller

NOBODY = TenantId(UUID(int=0))


@dataclass(frozen=True)
class SignIn:
    """Who says they are whom: the tenant's slug, an e-mail address, a password.

    `address` is where the request comes from; `device_token` what an earlier sign-in gave;
    `device` and `client` what the request says of its program. `suspended_too` opens a session
    for a suspended member, in which they may do what routes of that access let them.
    """

    tenant: str
    email: str
    password: str
    address: str = ""
    device_token: str | None = None
    device: str = ""
    client: str = ""
    suspended_too: bool = False


async def sign_in(deps: SessionsDeps, command: SignIn, correlation: str) -> SignedIn:
    """Open a session for a right password.

    Raises `WrongCredentials` and `TooManyAttempts`: for unknown people and tenants as for known
    ones, after the same work. Raises `MemberSuspended` for a right password only.
    """
    stranger = guess_of_stranger(deps.guess_limits, command.tenant, command.email, command.address)
    device = deps.signer.read_device(command.device_token) if command.device_token else None
    if device is None:
        async with limit_attempts(deps, stranger):
            credential = await _find(deps, command, correlation)
            return await _try(deps, credential, command, correlation)
    credential = await _find(deps, command, correlation)
    known = credential is not None and _belongs(device, credential)
    async with limit_attempts(deps, guess_from_device(device) if known else stranger):
        return await _try(deps, credential, command, correlation)


def _belongs(device: Device, credential: Credential) -> bool:
    """Return whether this member signed in with the device since the password was last set."""
    return (device.tenant_id, device.member_id, device.password_fingerprint) == (
        credential.tenant_id,
        credential.member_id,
        password_fingerprint(credential.password_hash),
    )


async def _try(
    deps: SessionsDeps, credential: Credential | None, command: SignIn, correlation: str
) -> SignedIn:
    password_hash = credential.password_hash if credential else None
    matches = await password_matches(deps, password_hash, command.password)
    if credential is None or not matches:
        await _audit_failure(deps, credential, correlation)
        raise WrongCredentials
    if credential.suspension is not None and not command.suspended_too:
        raise MemberSuspended.from_suspension(credential.suspension)
    renewed = await _hash_anew(deps, credential, command.password)
    async with deps.unit(Caller(credential.tenant_id, credential.member_id, correlation)) as unit:
        if not await deps.credentials.lock_if_current(unit, credential):
            raise WrongCredentials
        if renewed is not None:
            await deps.credentials.replace_hash(unit, credential, renewed)
        tokens = await open_session(deps, unit, credential, command.device, command.client)
    mark = password_fingerprint(renewed or credential.password_hash)
    device = Device(credential.tenant_id, credential.member_id, mark, deps.new_id())
    return SignedIn(tokens, deps.signer.sign_device(device))


async def _audit_failure(
    deps: SessionsDeps, credential: Credential | None, correlation: str
) -> None:
    """Leave a row in the member's chain; in one of nobody's where the member is unknown.

    The work is the same in both cases, so that its time does not tell them apart.
    """
    tenant = credential.tenant_id if credential else NOBODY
    member = credential.member_id if credential else MemberId(NOBODY)
    caller = Caller(tenant, member, correlation)
    async with deps.unit(caller) as unit:
        unit.audit(caller, "sign_in.failed", member)


async def _hash_anew(deps: SessionsDeps, credential: Credential, password: str) -> str | None:
    """Hash a right password again when hashes are made with other parameters today."""
    if not deps.hasher.is_outdated(credential.password_hash):
        return None
    return await deps.hasher.hash(normalise_password(password))


async def _find(deps: SessionsDeps, command: SignIn, correlation: str) -> Credential | None:
    """Find who this may be, by two reads also where the tenant is unknown: times are alike."""
    async with deps.unit(Caller(NOBODY, None, correlation)) as unit:
        tenant = await deps.tenant_directory.tenant_id_of(unit, command.tenant) or NOBODY
    async with deps.unit(Caller(tenant, None, correlation)) as unit:
        return await deps.credentials.find_by_email(unit, tenant, command.email)
