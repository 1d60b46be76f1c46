"""What a structure is, and where it stands in the tree."""

from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from shared.contracts.ids import StructureId, TenantId
from shared.kit.core.errors import Invalid, NotFound
from shared.kit.text.characters import is_time_zone


class StructureNotFound(NotFound):
    """There is no such structure in this tenant."""

    key = "structure_not_found"


class UnknownTimeZone(Invalid):
    """The time zone is not one of the IANA database."""

    key = "unknown_time_zone"


class TreePosition(NamedTuple):
    """Where a structure stands in a list of the tree: how many are above it, then its name."""

    depth: int
    name: str
    structure_id: UUID


@dataclass(frozen=True, slots=True)
class Structure:
    """A place in the tree; `path` holds its ancestors, root first, without itself."""

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
        """Itself and its ancestors: a role held in any of them counts here."""
        return (*self.path, self.structure_id)

    @property
    def tree_position(self) -> TreePosition:
        """Where a list of the tree goes on after it."""
        return TreePosition(len(self.path), self.name, self.structure_id)


def check_time_zone(name: str) -> str:
    """Return the zone back. Raises `UnknownTimeZone`."""
    if not is_time_zone(name):
        raise UnknownTimeZone(time_zone=name)
    return name
