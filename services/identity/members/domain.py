"""Members: their names, handles, roles and suspension."""

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
_ASCII_SPELLINGS = str.maketrans(
    {
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "ð": "d",
        "đ": "d",
        "þ": "th",
        "ł": "l",
        "\u0131": "i",  # dotless i
        "’": "'",
        "\u02bc": "'",
    }
)
"""Letters that Unicode normalisation does not decompose, and apostrophes."""


class MemberNotFound(NotFound):
    """The tenant has no such member."""

    key = "member_not_found"


class EmailTaken(Conflict):
    """Another member of the tenant has this address."""

    key = "email_taken"


class AddressInvalid(Invalid):
    """The text is not exactly one mail address."""

    key = "address_invalid"


class NoAddress(Conflict):
    """The member has no mail address, and so cannot sign in."""

    key = "no_address"


class NotSuspended(Conflict):
    """The member is not suspended at this time."""

    key = "not_suspended"


class AlreadyPast(Invalid):
    """The given end time has already passed."""

    key = "already_past"


class LastAdministrator(Conflict):
    """The tenant would have no administrator left whose role has no end."""

    key = "last_administrator"


MANAGING_ROLES = frozenset({Role.ADMINISTRATOR, Role.OPERATOR})
"""Roles that allow acting on other members."""


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role of a member at present, until a moment (None: until it is revoked).

    `ancestry` is the role's structure with its ancestors.
    """

    role: Role
    ancestry: tuple[StructureId, ...]
    until: datetime | None = None


def has_authority_over(actor: Actor, held_role: HeldRole) -> bool:
    """Return whether the actor may act on a holder of this role.

    An administrator of the role's structure, or above it, may; on an operator, only an operator.
    """
    return actor.holds([_required_role(held_role.role)], within=held_role.ancestry)


def has_lasting_authority_over(actor: Actor, held_role: HeldRole) -> bool:
    """Return whether the actor's authority over a holder of this role lasts as long as the role.

    An actor who resets a password could sign in with the role for as long as it lasts.
    """
    return holds_role_until(
        actor, _required_role(held_role.role), held_role.ancestry, held_role.until
    )


def holds_role_until(
    actor: Actor, right: Role, ancestry: Iterable[StructureId], until: datetime | None
) -> bool:
    """Return whether the actor holds `right` in one of these structures at least until `until`."""
    ancestry = tuple(ancestry)
    ends = [g.until for g in actor.grants if g.role is right and g.structure_id in ancestry]
    if None in ends:
        return True
    lasting = [end for end in ends if end is not None]
    return until is not None and bool(lasting) and until <= max(lasting)


def _required_role(role: Role) -> Role:
    return Role.OPERATOR if role is Role.OPERATOR else Role.ADMINISTRATOR


@dataclass(frozen=True, slots=True)
class Member:
    """A person who belongs to a tenant, or a system account."""

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
        """Return whether the member is suspended at this moment."""
        return self.suspended and (self.suspended_until is None or self.suspended_until > now)


def parse_address(text: str) -> str:
    """Return the mail address in a pasted text. Raises `AddressInvalid`."""
    address = extract_mail_address(text)
    if address is None:
        raise AddressInvalid(field="email")
    return address


def to_ascii_words(name: str, separator: str) -> str:
    """Spell a name in a to z and 0 to 9, or return an empty text.

    `Œuvrard d’Æ` gives `oeuvrard-d-ae`; `separator` is put between words.
    """
    decomposed = unicodedata.normalize("NFKD", name).casefold().translate(_ASCII_SPELLINGS)
    ascii_name = decomposed.encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", separator, ascii_name).strip(separator)


def make_handle(name: str, member_id: UUID) -> str:
    """Build a unique handle: names repeat, the end of a member's id does not."""
    words = to_ascii_words(name, ".")[:40] or "member"
    return f"{words}.{member_id.hex[-8:]}"
