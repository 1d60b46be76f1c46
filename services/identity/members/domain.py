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
from shared.kit.text.mail_addresses import extract_mail_address

MAX_NAME_CHARACTERS = 200
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


MANAGING_ROLES = frozenset({Role.ADMINISTRATOR, Role.OPERATOR})
"""Roles whose holders act on other members."""


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role that somebody holds now, until a moment (None: until it is revoked).

    `line` is its structure with the structure's ancestors.
    """

    role: Role
    ancestry: tuple[StructureId, ...]
    until: datetime | None = None


def has_authority_over(actor: Actor, held_role: HeldRole) -> bool:
    """Return whether the actor may act on somebody who holds this role.

    An administrator of the role's structure, or above it, does; of an operator, only an operator.
    """
    return actor.holds([_needed_for(held_role.role)], within=held_role.ancestry)


def has_lasting_authority_over(actor: Actor, held_role: HeldRole) -> bool:
    """Return whether the right to act on somebody who holds this role ends no sooner than the role.

    Whoever resets a password may sign in with the role for as long as it holds.
    """
    return holds_role_until(actor, _needed_for(held_role.role), held_role.ancestry, held_role.until)


def holds_role_until(
    actor: Actor, right: Role, ancestry: Iterable[StructureId], until: datetime | None
) -> bool:
    """Return whether the actor holds this role in one of these structures until then, at least."""
    ancestry = tuple(ancestry)
    ends = [g.until for g in actor.grants if g.role is right and g.structure_id in ancestry]
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

    def is_suspended_at(self, now: datetime) -> bool:
        """Return whether a suspension holds at this moment."""
        return self.suspended and (self.suspended_until is None or self.suspended_until > now)


def parse_address(text: str) -> str:
    """Tidy a mail address as it was pasted. Raises `AddressInvalid`."""
    address = extract_mail_address(text)
    if address is None:
        raise AddressInvalid(field="email")
    return address


def to_ascii_words(name: str, separator: str) -> str:
    """Write a name in a to z and 0 to 9: `Œuvrard d’Æ` gives `oeuvrard-d-ae`; it may be empty."""
    apart = unicodedata.normalize("NFKD", name).casefold().translate(_WRITTEN_OUT)
    plain = apart.encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", separator, plain).strip(separator)


def make_handle(name: str, member_id: UUID) -> str:
    """Make a handle that nobody else has: names repeat, the end of an id does not."""
    words = to_ascii_words(name, ".")[:40] or "member"
    return f"{words}.{member_id.hex[-8:]}"
