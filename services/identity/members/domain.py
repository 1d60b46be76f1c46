"""What a member is, and how an outside account becomes one."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.contracts.identity import MemberKind, Role
from shared.contracts.ids import MemberId, StructureId, TenantId
from shared.kit.core.errors import Conflict, Invalid, NotFound
from shared.kit.core.policy import Actor
from shared.kit.text.mail_addresses import tidy_address

LONGEST_NAME = 200
_WRITTEN_OUT = str.maketrans(
    {
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "ð": "d",
        "đ": "d",
        "þ": "th",
        "ł": "l",
        "\u0131": "i",  # without its dot
        "’": "'",
        "\u02bc": "'",
    }
)
"""Letters that Unicode does not take apart, and apostrophes."""


class MemberNotFound(NotFound):
    """There is no such member in this tenant."""

    key = "member_not_found"


class EmailTaken(Conflict):
    """Another member of the tenant has this address."""

    key = "email_taken"


class AddressInvalid(Invalid):
    """What was given is no mail address, or more than one."""

    key = "address_invalid"


class NoAddress(Conflict):
    """The member has no mail address, and so cannot sign in."""

    key = "no_address"


class NotSuspended(Conflict):
    """The member is not suspended, or not any more."""

    key = "not_suspended"


class AlreadyPast(Invalid):
    """What should hold until a moment that has passed would never hold."""

    key = "already_past"


class LastAdministrator(Conflict):
    """The tenant would be left without an administrator whose role has no end."""

    key = "last_administrator"


RULING_ROLES = frozenset({Role.ADMINISTRATOR, Role.OPERATOR})
"""Roles whose holders act on other members."""


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role that somebody holds now, until a moment (None: until it is revoked).

    `line` is its structure with the structure's ancestors.
    """

    role: Role
    line: tuple[StructureId, ...]
    until: datetime | None = None


def stands_at_or_above(actor: Actor, held: HeldRole) -> bool:
    """Tell whether the actor may act on somebody who holds this role.

    An administrator of the role's structure, or above it, does; of an operator, only an operator.
    """
    return actor.holds([_needed_for(held.role)], within=held.line)


def stands_as_long(actor: Actor, held: HeldRole) -> bool:
    """Tell whether the right to act on somebody who holds this role ends no sooner than the role.

    Whoever resets a password may sign in with the role for as long as it holds.
    """
    return reaches(actor, _needed_for(held.role), held.line, held.until)


def reaches(actor: Actor, right: Role, line: Iterable[StructureId], until: datetime | None) -> bool:
    """Tell whether the actor holds this role in one of these structures until then, at least."""
    line = tuple(line)
    ends = [g.until for g in actor.grants if g.role is right and g.structure_id in line]
    if None in ends:
        return True
    lasting = [end for end in ends if end is not None]
    return until is not None and bool(lasting) and until <= max(lasting)


def _needed_for(role: Role) -> Role:
    return Role.OPERATOR if role is Role.OPERATOR else Role.ADMINISTRATOR


@dataclass(frozen=True, slots=True)
class Member:
    """Someone who belongs, or an account that a machine writes with."""

    tenant_id: TenantId
    member_id: MemberId
    display_name: str
    handle: str
    joined_at: datetime
    structure_id: StructureId | None = None
    email: str | None = None
    kind: MemberKind = MemberKind.PERSON
    minor: bool = False
    suspended: bool = False
    suspended_until: datetime | None = None
    suspended_because: str | None = None

    def is_stopped(self, now: datetime) -> bool:
        """Tell whether a suspension holds at this moment."""
        return self.suspended and (self.suspended_until is None or self.suspended_until > now)


def address_of(text: str) -> str:
    """Tidy a mail address as it was pasted. Raises `AddressInvalid`."""
    address = tidy_address(text)
    if address is None:
        raise AddressInvalid(field="email")
    return address


def words_of(name: str, between: str) -> str:
    """Write a name in a to z and 0 to 9: `Œuvrard d’Æ` gives `oeuvrard-d-ae`; it may be empty."""
    apart = unicodedata.normalize("NFKD", name).casefold().translate(_WRITTEN_OUT)
    plain = apart.encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", between, plain).strip(between)


def handle_of(name: str, member_id: UUID) -> str:
    """Make a handle that nobody else has: names repeat, the end of an id does not."""
    words = words_of(name, ".")[:40] or "member"
    return f"{words}.{member_id.hex[-8:]}"
