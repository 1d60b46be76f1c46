"""Check rights over a member's access, and end a member's sessions."""

from services.identity.members.domain import NoAddress
from services.identity.members.handlers.suspend_member import lock_managed_member
from services.identity.members.policy import may_invite
from services.identity.members.ports import MembersDeps
from services.identity.sessions.handlers.end_sessions import end_sessions
from shared.contracts.identity import SessionEnd
from shared.contracts.ids import MemberId
from shared.kit.core.policy import Actor, require_allowed
from shared.kit.core.unit_of_work import Caller


async def check_may_manage(
    deps: MembersDeps, caller: Caller, actor: Actor, member_id: MemberId
) -> None:
    """Check that the actor manages the member. Raises `MemberNotFound` and `Forbidden`."""
    async with deps.unit(caller) as unit:
        await lock_managed_member(deps, unit, actor, member_id)


async def check_may_invite(
    deps: MembersDeps, caller: Caller, actor: Actor, member_id: MemberId
) -> None:
    """Check that the actor may invite the member, who must have a mail address.

    Raises `MemberNotFound`, `Forbidden` and `NoAddress`.
    """
    async with deps.unit(caller) as unit:
        member = await lock_managed_member(deps, unit, actor, member_id)
        held_roles = await deps.members.roles_of(unit, actor.tenant, member_id)
        require_allowed(may_invite(actor, held_roles))
        if member.email is None:
            raise NoAddress(member_id=member_id)


async def end_sessions_of_member(
    deps: MembersDeps, caller: Caller, actor: Actor, member_id: MemberId
) -> None:
    """End all sessions of a member. Raises `MemberNotFound` and `Forbidden`."""
    async with deps.unit(caller) as unit:
        await lock_managed_member(deps, unit, actor, member_id)
        member = (caller.tenant, member_id)
        await end_sessions(deps.sessions, unit, member, SessionEnd.ADMINISTRATOR)
