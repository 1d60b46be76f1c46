"""A small tree of structures for tests of rights: an academy, two schools, two classes."""

from uuid import UUID

from shared.contracts.example_data import ACADEMY, COLLEGE
from shared.contracts.ids import StructureId

OTHER_SCHOOL = StructureId(UUID(int=0x5C))
CLASS, OTHER_CLASS = StructureId(UUID(int=0xC1)), StructureId(UUID(int=0xC2))
_PARENTS = {COLLEGE: ACADEMY, OTHER_SCHOOL: ACADEMY, CLASS: COLLEGE, OTHER_CLASS: OTHER_SCHOOL}
TREE = (ACADEMY, COLLEGE, OTHER_SCHOOL, CLASS, OTHER_CLASS)


def ancestry_of(structure: StructureId) -> tuple[StructureId, ...]:
    """Return a structure's ancestors, root first, with the structure."""
    parent = _PARENTS.get(structure)
    return (*(ancestry_of(parent) if parent else ()), structure)


def covers(above: StructureId, below: StructureId) -> bool:
    """Return whether `above` is `below` or one of its ancestors."""
    return above in ancestry_of(below)
