"""List the spaces that someone may see."""

from collections.abc import Sequence

from services.community.spaces.domain import Membership, Space
from services.community.spaces.policy import may_see
from services.community.spaces.ports import SpacesDeps
from shared.kit.core.pagination import read_visible_page
from shared.kit.core.policy import Actor, Allowed
from shared.kit.core.unit_of_work import Caller, Unit


async def list_spaces(
    deps: SpacesDeps, caller: Caller, actor: Actor, after: str | None, limit: int
) -> tuple[list[Space], str | None]:
    """List some by name, from after a name on; and the name to go on after, if there are more."""
    async with deps.unit(caller) as unit:

        async def read(name: str | None, rows: int) -> Sequence[Space]:
            return await deps.spaces.list_after(unit, caller.tenant, name, rows)

        async def keep(spaces: Sequence[Space]) -> Sequence[Space]:
            return await _seen(deps, unit, actor, spaces)

        return await read_visible_page(read, keep, lambda space: space.name, after, limit)


async def find_space(deps: SpacesDeps, caller: Caller, actor: Actor, name: str) -> list[Space]:
    """Find the one of this name, if this actor may see it."""
    async with deps.unit(caller) as unit:
        return await _seen(
            deps, unit, actor, await deps.spaces.list_named(unit, caller.tenant, name)
        )


async def _seen(deps: SpacesDeps, unit: Unit, actor: Actor, spaces: Sequence[Space]) -> list[Space]:
    ids = [space.space_id for space in spaces]
    known = await deps.spaces.memberships_of(unit, actor.tenant, ids, actor.member_id)
    return [
        space
        for space in spaces
        if isinstance(may_see(actor, space, known.get(space.space_id, Membership())), Allowed)
    ]
