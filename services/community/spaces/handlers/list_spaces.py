"""List the spaces that the actor may see."""

from collections.abc import Sequence

from services.community.spaces.domain import Membership, Space
from services.community.spaces.policy import may_see
from services.community.spaces.ports import SpacesDeps
from shared.kit.core.pagination import read_visible_page
from shared.kit.core.policy import Actor, Allowed
from shared.kit.core.unit_of_work import Caller, Unit


async def list_spaces(
    deps: SpacesDeps, caller: Caller, actor: Actor, after_name: str | None, limit: int
) -> tuple[list[Space], str | None]:
    """List visible spaces by name, after a name; also return the last name if there are more."""
    async with deps.unit(caller) as unit:

        async def list_after(name: str | None, rows: int) -> Sequence[Space]:
            return await deps.spaces.list_after(unit, caller.tenant, name, rows)

        async def filter_visible(spaces: Sequence[Space]) -> Sequence[Space]:
            return await _filter_visible(deps, unit, actor, spaces)

        return await read_visible_page(
            list_after, filter_visible, lambda space: space.name, after_name, limit
        )


async def find_space(deps: SpacesDeps, caller: Caller, actor: Actor, name: str) -> list[Space]:
    """Find the space of this name, if the actor may see it; an empty list otherwise."""
    async with deps.unit(caller) as unit:
        return await _filter_visible(
            deps, unit, actor, await deps.spaces.list_named(unit, caller.tenant, name)
        )


async def _filter_visible(
    deps: SpacesDeps, unit: Unit, actor: Actor, spaces: Sequence[Space]
) -> list[Space]:
    ids = [space.space_id for space in spaces]
    memberships = await deps.memberships.find(unit, actor.tenant, ids, actor.member_id)
    return [
        space
        for space in spaces
        if isinstance(may_see(actor, space, memberships.get(space.space_id, Membership())), Allowed)
    ]
