"""Authorisation: the vocabulary of every feature's `policy.py`. Pure.

A policy is a function `(actor, resource) -> Verdict`. A handler calls it and passes the verdict to
`require_allowed`; the id of the rule that decided is in the problem document.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from shared.contracts.identity import MemberKind, Role
from shared.contracts.ids import MemberId, StructureId, TenantId
from shared.kit.core.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Grant:
    """A role in a structure and everything below it, until a moment (None: until revoked)."""

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
    """The member who sent a request, with the rights in this service's own copy."""

    tenant: TenantId
    member_id: MemberId
    structure_id: StructureId | None = None
    kind: MemberKind = MemberKind.PERSON
    minor: bool = False
    grants: tuple[Grant, ...] = ()
    suspension: Suspension | None = None

    def holds(self, roles: Iterable[Role], *, within: Iterable[StructureId]) -> bool:
        """Return whether the actor has one of these roles in one of these structures.

        `within` is a structure and its ancestors, in any order: a role above counts below.
        """
        accepted_roles, structures = set(roles), set(within)
        return any(g.role in accepted_roles and g.structure_id in structures for g in self.grants)

    def holds_anywhere(self, *roles: Role) -> bool:
        """Return whether the actor has one of these roles in any structure."""
        return any(grant.role in roles for grant in self.grants)

    @property
    def role(self) -> str | None:
        """The role for event payloads: one in the actor's own structure, else any."""
        own_roles = [g.role for g in self.grants if g.structure_id == self.structure_id]
        roles = own_roles or [g.role for g in self.grants]
        return roles[0].value if roles else None


@dataclass(frozen=True, slots=True)
class Allowed:
    """The action is allowed by this rule."""

    rule: str


@dataclass(frozen=True, slots=True)
class Denied:
    """The action is denied by this rule."""

    rule: str


Verdict = Allowed | Denied


def require_allowed(verdict: Verdict) -> None:
    """Return if the verdict is `Allowed`. Raises `Forbidden` with the rule's id if not."""
    if isinstance(verdict, Denied):
        raise Forbidden(rule=verdict.rule)
