"""Change the password of a signed-in member."""

from dataclasses import dataclass
from uuid import UUID

from services.identity.sessions.domain import WrongPassword
from services.identity.sessions.handlers.attempts import limit_attempts
from services.identity.sessions.handlers.end_sessions import end_sessions
from services.identity.sessions.handlers.passwords import hash_new_password, password_matches
from services.identity.sessions.policy import charge_member
from services.identity.sessions.ports import SessionsDeps
from shared.contracts.identity import SessionEnd
from shared.contracts.ids import MemberId
from shared.kit.core.unit_of_work import Caller


@dataclass(frozen=True)
class ChangePassword:
    """Change the password: the current one, the new one, and the session of the request."""

    member_id: MemberId
    current: str
    new: str
    session_id: UUID | None


async def change_password(deps: SessionsDeps, caller: Caller, command: ChangePassword) -> None:
    """Change the password and end all other sessions; a wrong current password is an attempt.

    Raises `WrongPassword`, `TooManyAttempts` and the errors of `hash_new_password`.
    """
    tenant, member_id = caller.tenant, command.member_id
    async with limit_attempts(deps, charge_member(tenant, member_id), WrongPassword):
        async with deps.unit(caller) as unit:
            credential = await deps.passwords.credentials.find_by_member(unit, tenant, member_id)
        current_hash = credential.password_hash if credential else None
        if not await password_matches(deps, current_hash, command.current) or credential is None:
            async with deps.unit(caller) as unit:
                unit.audit(caller, "password.change_failed", member_id)
            raise WrongPassword
    password_hash = await hash_new_password(deps, tenant, member_id, command.new)
    async with deps.unit(caller) as unit:
        if not await deps.passwords.credentials.replace_hash(unit, credential, password_hash):
            raise WrongPassword
        unit.audit(caller, "password.change", member_id)
        reason, excluding = SessionEnd.PASSWORD_CHANGED, command.session_id
        await end_sessions(deps.sessions, unit, (tenant, member_id), reason, excluding=excluding)
