"""Check a password that is given, and a new one that is to be set."""

from services.identity.sessions.domain import (
    PasswordGuessable,
    check_password,
    normalise_password,
)
from services.identity.sessions.ports import SessionsDeps
from shared.contracts.ids import MemberId, TenantId
from shared.kit.core.unit_of_work import Caller


async def password_matches(deps: SessionsDeps, password_hash: str | None, password: str) -> bool:
    """Return whether this is the password, however its letters are composed.

    It is compared as it was typed, too: a password that was set before they were brought into
    one form still holds.
    """
    normal = normalise_password(password)
    if await deps.hasher.matches(password_hash, normal):
        return True
    return normal != password and await deps.hasher.matches(password_hash, password)


async def hash_new_password(
    deps: SessionsDeps, tenant: TenantId, member_id: MemberId, password: str
) -> str:
    """Hash a new password for a member, outside of any unit.

    Raises `PasswordTooShort`, `PasswordRepeats` and `PasswordGuessable`.
    """
    normal = normalise_password(password)
    check_password(normal)
    async with deps.unit(Caller(tenant, None, str(deps.new_id()))) as unit:
        words = await deps.member_lookup.personal_words(unit, tenant, member_id)
    if await deps.strength_estimator.is_guessable(normal, words):
        raise PasswordGuessable(field="password")
    return await deps.hasher.hash(normal)
