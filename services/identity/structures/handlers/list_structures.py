"""List the tree."""

from services.identity.structures.domain import Structure, TreePosition
from services.identity.structures.ports import StructuresDeps
from shared.kit.core.unit_of_work import Caller


async def list_structures(
    deps: StructuresDeps, caller: Caller, after: TreePosition | None, limit: int
) -> tuple[list[Structure], TreePosition | None]:
    """List a page of the caller's tenant's tree, ancestors first; every member may see it.

    Gives the place to go on after, too; None when there is no more.
    """
    async with deps.unit(caller) as unit:
        found = await deps.structures.list_after(unit, caller.tenant, after, limit + 1)
    page = list(found[:limit])
    return page, page[-1].tree_position if len(found) > limit else None
