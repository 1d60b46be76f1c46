"""Facts that identity publishes: tenants, structures, members, roles and sessions."""

from datetime import timedelta
from enum import StrEnum
from typing import ClassVar, Self

from msgspec import Struct, field

from shared.contracts import example_data
from shared.contracts.event import DataSensitivity, Fact, Instant, Sealed
from shared.contracts.ids import MemberId, SessionId, StructureId, TenantId


class MemberKind(StrEnum):
    """A human being, or an account with which a program writes."""

    PERSON = "person"
    SYSTEM = "system"


class Role(StrEnum):
    """A member's role in a structure; the policies define what each role may do."""

    PUPIL = "pupil"
    PARENT = "parent"
    TEACHER = "teacher"
    TRAINER = "trainer"
    STAFF = "staff"
    COMMUNITY_MANAGER = "community_manager"
    MODERATOR = "moderator"
    ADMINISTRATOR = "administrator"
    OPERATOR = "operator"


PRIVILEGED_ROLES = frozenset(
    {Role.COMMUNITY_MANAGER, Role.MODERATOR, Role.ADMINISTRATOR, Role.OPERATOR}
)
"""Roles that may act on other members, beyond what every member may do."""


class PersonDetails(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A member's name and contact: personal data."""

    display_name: str
    handle: str
    email: str | None = None
    locale: str | None = None


class TenantOpened(Fact, frozen=True, kw_only=True):
    """An academy, university or enterprise became a tenant."""

    WIRE: ClassVar = "identity.tenant.opened"
    TOPIC: ClassVar = "identity.tenant"
    KEY: ClassVar = "tenant_id"
    SUBJECT: ClassVar = "tenant_id"
    DATA: ClassVar = DataSensitivity.PUBLIC

    tenant_id: TenantId
    name: str
    slug: str
    time_zone: str
    locale: str

    @classmethod
    def example(cls) -> Self:
        return cls(
            tenant_id=example_data.TENANT,
            name="Académie de Rennes",
            slug="rennes",
            time_zone="Europe/Paris",
            locale="fr",
        )


class StructureOpened(Fact, frozen=True, kw_only=True):
    """A region, academy, school, class, entity or team was added to the tree.

    `path` contains its ancestors, the root first, without itself. `codes` are identifiers of
    outside systems, such as the UAI.
    """

    WIRE: ClassVar = "identity.structure.opened"
    TOPIC: ClassVar = "identity.structure"
    KEY: ClassVar = "structure_id"
    SUBJECT: ClassVar = "structure_id"
    DATA: ClassVar = DataSensitivity.PUBLIC

    structure_id: StructureId
    kind: str
    name: str
    time_zone: str
    parent_id: StructureId | None = None
    path: tuple[StructureId, ...] = ()
    codes: dict[str, str] = field(default_factory=dict)
    school_zone: str | None = None
    headcount: int | None = None

    @classmethod
    def example(cls) -> Self:
        return cls(
            structure_id=example_data.COLLEGE,
            kind="school",
            name="Collège Anne de Bretagne",
            time_zone="Europe/Paris",
            parent_id=example_data.ACADEMY,
            path=(example_data.ACADEMY,),
            codes={"uai": "0350000A"},
            school_zone="B",
            headcount=612,
        )


class MemberJoined(Fact, frozen=True, kw_only=True):
    """A person or system account became a member of the tenant."""

    WIRE: ClassVar = "identity.member.joined"
    TOPIC: ClassVar = "identity.member"
    KEY: ClassVar = "member_id"
    SUBJECT: ClassVar = "member_id"
    DATA: ClassVar = DataSensitivity.PERSONAL

    member_id: MemberId
    person: Sealed[PersonDetails]
    kind: MemberKind = MemberKind.PERSON
    minor: bool = False
    structure_id: StructureId | None = None

    @classmethod
    def example(cls) -> Self:
        details = PersonDetails(display_name="Zoé Le Goff", handle="zoe.legoff", locale="fr")
        return cls(
            member_id=example_data.ZOE,
            person=Sealed(clear=details),
            minor=True,
            structure_id=example_data.COLLEGE,
        )


class MemberSuspended(Fact, frozen=True, kw_only=True):
    """A member was suspended, until a time or until reinstated."""

    WIRE: ClassVar = "identity.member.suspended"
    TOPIC: ClassVar = "identity.member"
    KEY: ClassVar = "member_id"
    SUBJECT: ClassVar = "member_id"

    member_id: MemberId
    reason: str
    suspended_by: MemberId | None = None
    until: Instant | None = None

    @classmethod
    def example(cls) -> Self:
        return cls(
            member_id=example_data.ZOE,
            reason="repeated_insults",
            suspended_by=example_data.HAMID,
            until=example_data.NOON + timedelta(days=3),
        )


class MemberReinstated(Fact, frozen=True, kw_only=True):
    """A suspended member may act again."""

    WIRE: ClassVar = "identity.member.reinstated"
    TOPIC: ClassVar = "identity.member"
    KEY: ClassVar = "member_id"
    SUBJECT: ClassVar = "member_id"

    member_id: MemberId
    reinstated_by: MemberId | None = None

    @classmethod
    def example(cls) -> Self:
        return cls(member_id=example_data.ZOE, reinstated_by=example_data.HAMID)


class RoleGranted(Fact, frozen=True, kw_only=True):
    """A member was granted a role in a structure and below it, until a time or until revoked."""

    WIRE: ClassVar = "identity.role.granted"
    TOPIC: ClassVar = "identity.member"
    KEY: ClassVar = "member_id"
    SUBJECT: ClassVar = "member_id"

    member_id: MemberId
    role: Role
    structure_id: StructureId
    granted_by: MemberId | None = None
    until: Instant | None = None

    @classmethod
    def example(cls) -> Self:
        return cls(
            member_id=example_data.HAMID, role=Role.TEACHER, structure_id=example_data.COLLEGE
        )


class RoleRevoked(Fact, frozen=True, kw_only=True):
    """A member's role in a structure was revoked."""

    WIRE: ClassVar = "identity.role.revoked"
    TOPIC: ClassVar = "identity.member"
    KEY: ClassVar = "member_id"
    SUBJECT: ClassVar = "member_id"

    member_id: MemberId
    role: Role
    structure_id: StructureId
    revoked_by: MemberId | None = None

    @classmethod
    def example(cls) -> Self:
        return cls(
            member_id=example_data.HAMID, role=Role.TEACHER, structure_id=example_data.COLLEGE
        )


class SessionOpened(Fact, frozen=True, kw_only=True):
    """A member signed in."""

    WIRE: ClassVar = "identity.session.opened"
    TOPIC: ClassVar = "identity.session"
    KEY: ClassVar = "member_id"
    SUBJECT: ClassVar = "member_id"

    member_id: MemberId
    method: str
    session_id: SessionId | None = None

    @classmethod
    def example(cls) -> Self:
        return cls(member_id=example_data.ZOE, method="password", session_id=example_data.SESSION)


class SessionEnd(StrEnum):
    """Why a session ended before its expiry."""

    SIGNED_OUT = "signed_out"
    ENDED_BY_MEMBER = "ended_by_member"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  a reason, not a password
    PASSWORD_RESET = "password_reset"  # noqa: S105  a reason, not a password
    SUSPENDED = "suspended"
    REUSED = "reused"
    ADMINISTRATOR = "administrator"


class SessionEnded(Fact, frozen=True, kw_only=True):
    """A session ended before its expiry: its access tokens are no longer valid.

    Consumers keep its id for the lifetime of an access token.
    """

    WIRE: ClassVar = "identity.session.ended"
    TOPIC: ClassVar = "identity.session"
    KEY: ClassVar = "member_id"
    SUBJECT: ClassVar = "session_id"

    member_id: MemberId
    session_id: SessionId
    reason: SessionEnd

    @classmethod
    def example(cls) -> Self:
        return cls(
            member_id=example_data.ZOE,
            session_id=example_data.SESSION,
            reason=SessionEnd.PASSWORD_CHANGED,
        )


PUBLISHES: tuple[type[Fact], ...] = (
    TenantOpened,
    StructureOpened,
    MemberJoined,
    MemberSuspended,
    MemberReinstated,
    RoleGranted,
    RoleRevoked,
    SessionOpened,
    SessionEnded,
)
