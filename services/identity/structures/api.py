"""`/v1/structures`: the tree."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.identity.structures.domain import Structure, TreePosition, check_time_zone
from services.identity.structures.handlers.list_structures import list_structures
from services.identity.structures.handlers.open_structure import OpenStructure, open_structure
from services.identity.structures.ports import StructuresDeps
from shared.contracts.ids import StructureId
from shared.kit.web.context import ActorDep, CallerDep
from shared.kit.web.cursors import MAX_PAGE_ITEMS, ApiModel, BigInt, PageLimit, decode, encode
from shared.kit.web.fields import SingleLineName
from shared.kit.web.routes import Routes

MAX_CODES = 20
"""Bounded, because every member's list of structures includes the codes."""
CodeName = Annotated[str, Field(min_length=1, max_length=40)]
Code = Annotated[str, Field(max_length=100)]


class NewStructure(ApiModel):
    """A structure to open below `parent_id`."""

    name: SingleLineName = Field(
        min_length=1, max_length=200, examples=["Collège Anne de Bretagne"]
    )
    kind: SingleLineName = Field(min_length=1, max_length=40, examples=["school"])
    parent_id: StructureId
    time_zone: str | None = Field(default=None, max_length=60, examples=["Indian/Reunion"])
    codes: dict[CodeName, Code] = Field(
        default_factory=dict, max_length=MAX_CODES, examples=[{"uai": "0350000A"}]
    )


class StructureShown(ApiModel):
    """A structure with its ancestors, root first."""

    structure_id: StructureId
    name: str
    kind: str
    time_zone: str
    parent_id: StructureId | None
    path: list[StructureId]
    codes: dict[str, str]


class Tree(ApiModel):
    """A page of structures, ancestors first, and the cursor of the next page."""

    items: list[StructureShown]
    next: str | None = None


def _to_response(structure: Structure) -> StructureShown:
    return StructureShown(
        structure_id=structure.structure_id,
        name=structure.name,
        kind=structure.kind,
        time_zone=structure.time_zone,
        parent_id=structure.parent_id,
        path=list(structure.path),
        codes=structure.codes,
    )


def routes(deps: StructuresDeps) -> Routes:
    """Build the routes of structures."""
    router = Routes("structures")

    @router.get("/structures", action="structure.list")
    async def list_some(
        caller: CallerDep, limit: PageLimit = MAX_PAGE_ITEMS, cursor: str | None = None
    ) -> Tree:
        after_position = TreePosition(*decode(cursor, BigInt, str, UUID)) if cursor else None
        structures, last = await list_structures(deps, caller, after_position, limit)
        next_cursor = encode(*last) if last is not None else None
        return Tree(items=[_to_response(structure) for structure in structures], next=next_cursor)

    @router.post("/structures", action="structure.open", status_code=201)
    async def open_one(caller: CallerDep, actor: ActorDep, new: NewStructure) -> StructureShown:
        if new.time_zone:
            check_time_zone(new.time_zone)
        return _to_response(
            await open_structure(deps, caller, actor, OpenStructure(**new.model_dump()))
        )

    return router
