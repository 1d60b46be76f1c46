"""Open a structure below another."""

from dataclasses import dataclass, field

from services.identity.structures.domain import Structure, StructureNotFound
from services.identity.structures.policy import may_open_below
from services.identity.structures.ports import StructuresDeps
from shared.contracts.identity import StructureOpened
from shared.contracts.ids import StructureId
from shared.kit.core.policy import Actor, require_allowed
from shared.kit.core.unit_of_work import Caller


@dataclass(frozen=True)
class OpenStructure:
    """Open a structure; `time_zone` defaults to that of its parent."""

    name: str
    kind: str
    parent_id: StructureId
    time_zone: str | None = None
    codes: dict[str, str] = field(default_factory=dict)


async def open_structure(
    deps: StructuresDeps, caller: Caller, actor: Actor, command: OpenStructure
) -> Structure:
    """Open a structure below its parent. Raises `StructureNotFound` and `Forbidden`."""
    async with deps.unit(caller) as unit:
        parent = await deps.structures.find(unit, caller.tenant, command.parent_id)
        if parent is None:
            raise StructureNotFound(structure_id=command.parent_id)
        require_allowed(may_open_below(actor, parent))
        structure = Structure(
            caller.tenant,
            StructureId(deps.new_id()),
            command.kind,
            command.name,
            command.time_zone or parent.time_zone,
            parent.structure_id,
            parent.ancestry,
            command.codes,
        )
        await deps.structures.add(unit, structure)
        unit.record(
            StructureOpened(
                structure_id=structure.structure_id,
                kind=structure.kind,
                name=structure.name,
                time_zone=structure.time_zone,
                parent_id=structure.parent_id,
                path=structure.path,
                codes=structure.codes,
            )
        )
    return structure
