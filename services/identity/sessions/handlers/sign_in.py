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
from services.identity.sessions.policy import charge_known_device, charge_unknown_device
from services.identity.sessions.ports import SessionsDeps
from shared.contracts.ids import MemberId, TenantId
from shared.kit.core.suspension import MemberSuspended
from shared.kit.core.unit_of_work import Caller

NO_TENANT = TenantId(UUID(int=0))


@dataclass(frozen=True)
class SignIn:
    """Sign in with a tenant's slug, an e-mail address and a password.

    `address` is the client's address; `device_token` comes from an earlier sign-in; `device` and
    `client` describe the program of the request. `suspended_too` opens a session for a suspended
    member, which is restricted to routes with that access.
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
    """Open a session if the password is right.

    Raises `WrongCredentials` and `TooManyAttempts`, for unknown members and tenants after the same
    work as for known ones. Raises `MemberSuspended` only if the password is right.
    """
    unknown_device_guess = charge_unknown_device(
        deps.attempts.limits, command.tenant, command.email, command.address
    )
    device = deps.tokens.device.read_device(command.device_token) if command.device_token else None
    if device is None:
        async with limit_attempts(deps, unknown_device_guess):
            credential = await _find_credential(deps, command, correlation)
            return await _check_and_open(deps, credential, command, correlation)
    credential = await _find_credential(deps, command, correlation)
    is_known = credential is not None and _is_device_of(device, credential)
    async with limit_attempts(
        deps, charge_known_device(device) if is_known else unknown_device_guess
    ):
        return await _check_and_open(deps, credential, command, correlation)


def _is_device_of(device: Device, credential: Credential) -> bool:
    """Return whether this member has signed in with the device since the password was last set."""
    return (device.tenant_id, device.member_id, device.password_fingerprint) == (
        credential.tenant_id,
        credential.member_id,
        password_fingerprint(credential.password_hash),
    )


async def _check_and_open(
    deps: SessionsDeps, credential: Credential | None, command: SignIn, correlation: str
) -> SignedIn:
    password_hash = credential.password_hash if credential else None
    matches = await password_matches(deps, password_hash, command.password)
    if credential is None or not matches:
        await _audit_failure(deps, credential, correlation)
        raise WrongCredentials
    if credential.suspension is not None and not command.suspended_too:
        raise MemberSuspended.from_suspension(credential.suspension)
    new_hash = await _rehash_if_outdated(deps, credential, command.password)
    async with deps.unit(Caller(credential.tenant_id, credential.member_id, correlation)) as unit:
        if not await deps.passwords.credentials.lock_if_current(unit, credential):
            raise WrongCredentials
        if new_hash is not None:
            await deps.passwords.credentials.replace_hash(unit, credential, new_hash)
        tokens = await open_session(deps, unit, credential, command.device, command.client)
    fingerprint = password_fingerprint(new_hash or credential.password_hash)
    device = Device(credential.tenant_id, credential.member_id, fingerprint, deps.new_id())
    return SignedIn(tokens, deps.tokens.device.sign_device(device))


async def _audit_failure(
    deps: SessionsDeps, credential: Credential | None, correlation: str
) -> None:
    """Write an audit row for the member, or for the id 0 if the member is unknown.

    The work is the same in both cases, so that its time does not reveal whether the member exists.
    """
    tenant = credential.tenant_id if credential else NO_TENANT
    member = credential.member_id if credential else MemberId(NO_TENANT)
    caller = Caller(tenant, member, correlation)
    async with deps.unit(caller) as unit:
        unit.audit(caller, "sign_in.failed", member)


async def _rehash_if_outdated(
    deps: SessionsDeps, credential: Credential, password: str
) -> str | None:
    """Hash a right password again if its hash was made with other parameters; None otherwise."""
    if not deps.passwords.hasher.is_outdated(credential.password_hash):
        return None
    return await deps.passwords.hasher.hash(normalise_password(password))


async def _find_credential(
    deps: SessionsDeps, command: SignIn, correlation: str
) -> Credential | None:
    """Find the credential with two queries, also for an unknown tenant, so that times are equal."""
    async with deps.unit(Caller(NO_TENANT, None, correlation)) as unit:
        tenant = await deps.tenant_directory.tenant_id_of(unit, command.tenant) or NO_TENANT
    async with deps.unit(Caller(tenant, None, correlation)) as unit:
        return await deps.passwords.credentials.find_by_email(unit, tenant, command.email)
