"""Who may do what: the vocabulary of every feature's `policy.py`. Pure.

A policy is a function `(actor, thing) -> Verdict`. A handler calls it and hands the verdict to
`demand`; the id of the rule that decided is in the problem document.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from shared.contracts.identity import MemberKind, Role
from shared.contracts.ids import MemberId, StructureId, TenantId
from shared.kit.core.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Grant:
    """A role held in a structure and everything below it, until a moment (None: until revoked)."""

    role: Role
    structure_id: StructureId
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Suspension:
    """Why a member may not act, and until when (None: until reinstated)."""

    reason: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is asking, with the rights that this service's own copy knows of."""

    tenant: TenantId
    member_id: MemberId
    structure_id: StructureId | None = None
    kind: MemberKind = MemberKind.PERSON
    minor: bool = False
    grants: tuple[Grant, ...] = ()
    suspension: Suspension | None = None

    def holds(self, roles: Iterable[Role], *, within: Iterable[StructureId]) -> bool:
        """Return whether one of these roles is held in one of these structures.

        `within` is a structure followed, or preceded, by its ancestors: a role above counts below.
        """
        wanted, places = set(roles), set(within)
        return any(g.role in wanted and g.structure_id in places for g in self.grants)

    def holds_anywhere(self, *roles: Role) -> bool:
        """Return whether one of these roles is held in any structure."""
        return any(grant.role in roles for grant in self.grants)

    @property
    def role(self) -> str | None:
        """The role to write into facts: the one held in the actor's own structure, else any."""
        own = [g.role for g in self.grants if g.structure_id == self.structure_id]
        every = own or [g.role for g in self.grants]
        return every[0].value if every else None


@dataclass(frozen=True, slots=True)
class Allowed:
    """Yes, and the rule that says so."""

    rule: str


@dataclass(frozen=True, slots=True)
class Denied:
    """No, and the rule that says so."""

    rule: str


Verdict = Allowed | Denied


def require_allowed(verdict: Verdict) -> None:
    """Go on if allowed. Raises `Forbidden`, naming the rule, if not."""
    if isinstance(verdict, Denied):
        raise Forbidden(rule=verdict.rule)
