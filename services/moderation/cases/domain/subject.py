"""The content that a case, a decision or a statement is about."""

from dataclasses import dataclass

from shared.contracts.community import ContentKind, ContentRef
from shared.contracts.event import Person
from shared.contracts.ids import ContentId, MemberId, SpaceId, StructureId


@dataclass(frozen=True, slots=True)
class Subject:
    """A content, its version, and its place in spaces and structures."""

    content_id: ContentId
    root_id: ContentId
    kind: ContentKind
    version: int
    space_id: SpaceId
    structure_id: StructureId
    parent_id: ContentId | None = None
    author_id: MemberId | None = None
    author_structure: StructureId | None = None
    author_role: str | None = None

    @classmethod
    def of(
        cls, ref: ContentRef, space: SpaceId, structure: StructureId, author: Person | None
    ) -> "Subject":
        """Build it from the fields of an event."""
        return cls(
            ref.id,
            ref.root_id,
            ref.kind,
            ref.version,
            space,
            structure,
            ref.parent_id,
            author.member_id if author else None,
            author.structure_id if author else None,
            author.role if author else None,
        )

    @property
    def ref(self) -> ContentRef:
        """Return the reference to the content, as in events."""
        return ContentRef(
            kind=self.kind,
            id=self.content_id,
            root_id=self.root_id,
            parent_id=self.parent_id,
            version=self.version,
        )

    @property
    def author(self) -> Person | None:
        """Return its author, None if unknown."""
        if self.author_id is None:
            return None
        return Person(
            member_id=self.author_id, structure_id=self.author_structure, role=self.author_role
        )
