"""Structures and their order in the tree."""

from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from shared.contracts.ids import StructureId, TenantId
from shared.kit.core.errors import Invalid, NotFound
from shared.kit.text.characters import is_time_zone


class StructureNotFound(NotFound):
    """The tenant has no such structure."""

    key = "structure_not_found"


class UnknownTimeZone(Invalid):
    """The time zone is not in the IANA database."""

    key = "unknown_time_zone"


class TreePosition(NamedTuple):
    """A structure's sort key in a list of the tree: number of ancestors, then name, then id."""

    depth: int
    name: str
    structure_id: UUID


@dataclass(frozen=True, slots=True)
class Structure:
    """A structure of the tree; `path` holds its ancestors, root first, without the structure."""

    tenant_id: TenantId
    structure_id: StructureId
    kind: str
    name: str
    time_zone: str
    parent_id: StructureId | None = None
    path: tuple[StructureId, ...] = ()
    codes: dict[str, str] = field(default_factory=dict)

    @property
    def ancestry(self) -> tuple[StructureId, ...]:
        """The structure with its ancestors, root first: a role in any of them applies here."""
        return (*self.path, self.structure_id)

    @property
    def tree_position(self) -> TreePosition:
        """The position after which a list of the tree continues."""
        return TreePosition(len(self.path), self.name, self.structure_id)


def check_time_zone(name: str) -> str:
    """Return the time zone if it exists. Raises `UnknownTimeZone`."""
    if not is_time_zone(name):
        raise UnknownTimeZone(time_zone=name)
    return name
