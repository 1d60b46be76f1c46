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
    """Make the actor a member, if not yet one. Raises `SpaceNotFound`, `Forbidden`."""
    async with deps.unit(caller) as unit:
        space_and_membership = await deps.spaces.find_with_membership(
            unit, caller.tenant, space_id, actor.member_id
        )
        if space_and_membership is None or isinstance(
            may_see(actor, *space_and_membership), Denied
        ):
            raise SpaceNotFound(space_id=space_id)
        space, membership = space_and_membership
        require_allowed(may_join(actor, space, membership))
        if await deps.memberships.add(unit, space, actor.member_id, "member"):
            member = Person(
                member_id=actor.member_id, structure_id=actor.structure_id, role=actor.role
            )
            unit.record(MembershipJoined(space_id=space_id, member=member))
    return space


async def leave_space(deps: SpacesDeps, caller: Caller, actor: Actor, space_id: SpaceId) -> None:
    """End the actor's membership, if there is one. Raises `SpaceNotFound`."""
    async with deps.unit(caller) as unit:
        space_and_membership = await deps.spaces.find_with_membership(
            unit, caller.tenant, space_id, actor.member_id
        )
        if space_and_membership is None or isinstance(
            may_see(actor, *space_and_membership), Denied
        ):
            raise SpaceNotFound(space_id=space_id)
        if await deps.memberships.remove(unit, space_and_membership[0], actor.member_id):
            member = Person(
                member_id=actor.member_id, structure_id=actor.structure_id, role=actor.role
            )
            unit.record(MembershipLeft(space_id=space_id, member=member))
