"""List the tree of structures."""

from services.identity.structures.domain import Structure, TreePosition
from services.identity.structures.ports import StructuresDeps
from shared.kit.core.unit_of_work import Caller


async def list_structures(
    deps: StructuresDeps, caller: Caller, after_position: TreePosition | None, limit: int
) -> tuple[list[Structure], TreePosition | None]:
    """List a page of the tenant's tree, ancestors first; every member may read it.

    Also returns the position after which the next page begins; None when there are no more.
    """
    async with deps.unit(caller) as unit:
        structures = await deps.structures.list_after(
            unit, caller.tenant, after_position, limit + 1
        )
    page = list(structures[:limit])
    return page, page[-1].tree_position if len(structures) > limit else None
