"""Open a space in a structure."""

from dataclasses import dataclass

from services.community.spaces.domain import Space, SpaceNameTaken
from services.community.spaces.policy import may_open
from services.community.spaces.ports import SpacesDeps
from shared.contracts.community import Joining, MembershipJoined, Visibility
from shared.contracts.event import Person
from shared.contracts.ids import SpaceId, StructureId
from shared.kit.core.policy import Actor, require_allowed
from shared.kit.core.unit_of_work import Caller


@dataclass(frozen=True)
class OpenSpace:
    """Open a space; `time_zone` defaults to that of its structure."""

    name: str
    structure_id: StructureId
    visibility: Visibility = Visibility.STRUCTURE
    joining: Joining = Joining.OPEN
    time_zone: str | None = None


async def open_space(deps: SpacesDeps, caller: Caller, actor: Actor, command: OpenSpace) -> Space:
    """Open a space with the actor as its animator. Raises `SpaceNameTaken` and `Forbidden`."""
    async with deps.unit(caller) as unit:
        path = await deps.structure_tree.ancestors(unit, caller.tenant, command.structure_id)
        require_allowed(may_open(actor, (*path, command.structure_id)))
        zone = await deps.structure_tree.time_zone(unit, caller.tenant, command.structure_id)
        space = Space(
            tenant_id=caller.tenant,
            space_id=SpaceId(deps.new_id()),
            name=command.name,
            visibility=command.visibility,
            joining=command.joining,
            structure_id=command.structure_id,
            path=path,
            time_zone=command.time_zone or zone,
            opened_at=unit.now,
            opened_by=actor.member_id,
        )
        if not await deps.spaces.add(unit, space):
            raise SpaceNameTaken(name=command.name)
        unit.record(space.opened_fact())
        await deps.memberships.add(unit, space, actor.member_id, "animator")
        member = Person(member_id=actor.member_id, structure_id=actor.structure_id, role=actor.role)
        unit.record(MembershipJoined(space_id=space.space_id, member=member, role="animator"))
    return space
