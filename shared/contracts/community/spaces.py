"""Facts on spaces and their members."""

from enum import StrEnum
from typing import ClassVar, Self

from shared.contracts import example_data
from shared.contracts.event import Fact, Person
from shared.contracts.ids import MemberId, SpaceId, StructureId


class Visibility(StrEnum):
    """Readers of a space."""

    PUBLIC = "public"
    STRUCTURE = "structure"
    CLOSED = "closed"
    SECRET = "secret"  # noqa: S105  a visibility, not a password


class Joining(StrEnum):
    """How a member joins a space."""

    OPEN = "open"
    ON_REQUEST = "on_request"
    INVITED = "invited"


class SpaceOpened(Fact, frozen=True, kw_only=True):
    """A space was opened in a structure; `path` holds the structure's ancestors, root first."""

    WIRE: ClassVar = "community.space.opened"
    TOPIC: ClassVar = "community.space"
    KEY: ClassVar = "space_id"
    SUBJECT: ClassVar = "space_id"

    space_id: SpaceId
    name: str
    visibility: Visibility
    joining: Joining
    structure_id: StructureId
    time_zone: str
    path: tuple[StructureId, ...] = ()
    opened_by: MemberId | None = None

    @classmethod
    def example(cls) -> Self:
        return cls(
            space_id=example_data.SPACE,
            name="Entraide en français",
            visibility=Visibility.STRUCTURE,
            joining=Joining.OPEN,
            structure_id=example_data.COLLEGE,
            path=(example_data.ACADEMY,),
            time_zone="Europe/Paris",
            opened_by=example_data.HAMID,
        )


class MembershipJoined(Fact, frozen=True, kw_only=True):
    """A person became a member of a space."""

    WIRE: ClassVar = "community.membership.joined"
    TOPIC: ClassVar = "community.space"
    KEY: ClassVar = "space_id"
    SUBJECT: ClassVar = "space_id"

    space_id: SpaceId
    member: Person
    role: str = "member"

    @classmethod
    def example(cls) -> Self:
        return cls(space_id=example_data.SPACE, member=example_data.PUPIL)


class MembershipLeft(Fact, frozen=True, kw_only=True):
    """A person is no longer a member of a space."""

    WIRE: ClassVar = "community.membership.left"
    TOPIC: ClassVar = "community.space"
    KEY: ClassVar = "space_id"
    SUBJECT: ClassVar = "space_id"

    space_id: SpaceId
    member: Person

    @classmethod
    def example(cls) -> Self:
        return cls(space_id=example_data.SPACE, member=example_data.PUPIL)
