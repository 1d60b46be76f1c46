"""List the tree."""

from collections.abc import Sequence

from services.identity.structures.domain import Structure
from services.identity.structures.ports import StructuresDeps
from shared.kit.unit import Caller


async def list_structures(deps: StructuresDeps, caller: Caller) -> Sequence[Structure]:
    """List the caller's tenant's tree, ancestors first; every member may see it."""
    async with deps.unit(caller) as unit:
        return await deps.structures.list_all(unit, caller.tenant)
