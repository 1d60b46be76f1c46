"""Who may grant and revoke what: never more, nor for longer, than they hold."""

from collections.abc import Iterable
from datetime import datetime

from services.identity.members.domain import (
    MANAGING_ROLES,
    HeldRole,
    has_authority_over,
    has_lasting_authority_over,
    holds_role_until,
)
from shared.contracts.identity import PRIVILEGED_ROLES, Role
from shared.contracts.ids import MemberId, StructureId
from shared.kit.core.policy import Actor, Allowed, Denied, Verdict


def may_grant(
    actor: Actor,
    role: Role,
    ancestry: Iterable[StructureId],
    member_id: MemberId,
    until: datetime | None = None,
) -> Verdict:
    """Allow an administrator of the structure or above it to grant a role to somebody else.

    `line` is the structure of the grant with its ancestors. Operator is granted by an operator
    only. The grant ends when the right to grant it ends, at the latest.
    """
    path = tuple(ancestry)
    if member_id == actor.member_id:
        return Denied("role.grant.not_to_oneself")
    needed = [Role.ADMINISTRATOR, *([Role.OPERATOR] if role is Role.OPERATOR else [])]
    if not actor.holds([Role.ADMINISTRATOR], within=path):
        return Denied("role.grant.administrator")
    if not all(actor.holds([right], within=path) for right in needed):
        return Denied("role.grant.not_more_than_held")
    if not all(holds_role_until(actor, right, path, until) for right in needed):
        return Denied("role.grant.not_longer_than_held")
    return Allowed("role.grant.administrator")


def may_revoke(
    actor: Actor,
    role: Role,
    ancestry: Iterable[StructureId],
    member_id: MemberId,
    held_roles: Iterable[HeldRole],
) -> Verdict:
    """Allow an administrator of the structure or above it to take back, or shorten, a role.

    `held` are the roles that the member holds. The actor stands at or above this role and every
    privileged one of them; ordinary roles elsewhere (a teacher of two schools) do not matter.
    An administrator's role is taken back by one whose own ends no sooner. One may always give up a
    role of one's own.
    """
    path = tuple(ancestry)
    if member_id == actor.member_id:
        return Allowed("role.revoke.oneself")
    if not actor.holds([Role.ADMINISTRATOR], within=path):
        return Denied("role.grant.administrator")
    privileged = [other for other in held_roles if other.role in PRIVILEGED_ROLES]
    if not all(has_authority_over(actor, other) for other in (HeldRole(role, path), *privileged)):
        return Denied("role.revoke.not_above")
    if not all(
        has_lasting_authority_over(actor, other)
        for other in privileged
        if other.role in MANAGING_ROLES
    ):
        return Denied("role.revoke.not_as_long")
    return Allowed("role.revoke.administrator")
