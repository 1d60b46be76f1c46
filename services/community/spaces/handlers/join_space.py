"""Join a space, and leave it."""

from services.community.spaces.domain import Space, SpaceNotFound
from services.community.spaces.policy import may_join, may_see
from services.community.spaces.ports import SpacesDeps
from shared.contracts.community import MembershipJoined, MembershipLeft
from shared.contracts.event import Person
from shared.contracts.ids import SpaceId
from shared.kit.core.policy import Actor, Denied, require_allowed
from shared.kit.core.unit_of_work import Caller


async def join_space(deps: SpacesDeps, caller: Caller, actor: Actor, space_id: SpaceId) -> Space:
    """Become a member; nothing changes for who is one. Raises `SpaceNotFound`, `Forbidden`."""
    async with deps.unit(caller) as unit:
        found = await deps.spaces.find_with_membership(
            unit, caller.tenant, space_id, actor.member_id
        )
        if found is None or isinstance(may_see(actor, *found), Denied):
            raise SpaceNotFound(space_id=space_id)
        space, standing = found
        require_allowed(may_join(actor, space, standing))
        if await deps.spaces.join(unit, space, actor.member_id, "member"):
            who = Person(
                member_id=actor.member_id, structure_id=actor.structure_id, role=actor.role
            )
            unit.record(MembershipJoined(space_id=space_id, member=who))
    return space


async def leave_space(deps: SpacesDeps, caller: Caller, actor: Actor, space_id: SpaceId) -> None:
    """Be a member no more; nothing changes for who is none. Raises `SpaceNotFound`."""
    async with deps.unit(caller) as unit:
        found = await deps.spaces.find_with_membership(
            unit, caller.tenant, space_id, actor.member_id
        )
        if found is None or isinstance(may_see(actor, *found), Denied):
            raise SpaceNotFound(space_id=space_id)
        if await deps.spaces.leave(unit, found[0], actor.member_id):
            who = Person(
                member_id=actor.member_id, structure_id=actor.structure_id, role=actor.role
            )
            unit.record(MembershipLeft(space_id=space_id, member=who))
