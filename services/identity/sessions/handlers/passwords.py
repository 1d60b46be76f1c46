"""Check a given password, and hash a new one."""

from services.identity.sessions.domain import (
    PasswordGuessable,
    check_password,
    normalise_password,
)
from services.identity.sessions.ports import SessionsDeps
from shared.contracts.ids import MemberId, TenantId
from shared.kit.core.unit_of_work import Caller


async def password_matches(deps: SessionsDeps, password_hash: str | None, password: str) -> bool:
    """Return whether the password matches the hash, in NFC or as typed.

    The typed form counts for passwords that were set before NFC was introduced.
    """
    normal = normalise_password(password)
    if await deps.passwords.hasher.matches(password_hash, normal):
        return True
    return normal != password and await deps.passwords.hasher.matches(password_hash, password)


async def hash_new_password(
    deps: SessionsDeps, tenant: TenantId, member_id: MemberId, password: str
) -> str:
    """Check and hash a new password for a member; call it outside of any unit.

    Raises `PasswordTooShort`, `PasswordRepeats` and `PasswordGuessable`.
    """
    normal = normalise_password(password)
    check_password(normal)
    async with deps.unit(Caller(tenant, None, str(deps.new_id()))) as unit:
        words = await deps.member_lookup.personal_words(unit, tenant, member_id)
    if await deps.passwords.strength.is_guessable(normal, words):
        raise PasswordGuessable(field="password")
    return await deps.passwords.hasher.hash(normal)
