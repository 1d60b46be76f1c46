"""Rights to grant and revoke roles: never more, nor for longer, than the actor holds."""

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
    """Allow an administrator of the structure or above it to grant a role to another member.

    `ancestry` is the structure of the grant with its ancestors. Only an operator grants operator.
    The grant must not last longer than the right to grant it.
    """
    path = tuple(ancestry)
    if member_id == actor.member_id:
        return Denied("role.grant.not_to_oneself")
    required_roles = [Role.ADMINISTRATOR, *([Role.OPERATOR] if role is Role.OPERATOR else [])]
    if not actor.holds([Role.ADMINISTRATOR], within=path):
        return Denied("role.grant.administrator")
    if not all(actor.holds([required], within=path) for required in required_roles):
        return Denied("role.grant.not_more_than_held")
    if not all(holds_role_until(actor, required, path, until) for required in required_roles):
        return Denied("role.grant.not_longer_than_held")
    return Allowed("role.grant.administrator")


def may_revoke(
    actor: Actor,
    role: Role,
    ancestry: Iterable[StructureId],
    member_id: MemberId,
    held_roles: Iterable[HeldRole],
) -> Verdict:
    """Allow an administrator of the structure or above it to revoke or shorten a role.

    `held_roles` are all roles of the member. The actor must have authority over this role and over
    every privileged role among them; ordinary roles elsewhere (a teacher of two schools) do not
    matter. An administrator's role is revoked by an administrator whose role ends no earlier.
    Members may always revoke their own roles.
    """
    path = tuple(ancestry)
    if member_id == actor.member_id:
        return Allowed("role.revoke.oneself")
    if not actor.holds([Role.ADMINISTRATOR], within=path):
        return Denied("role.grant.administrator")
    privileged = [
        privileged_role
        for privileged_role in held_roles
        if privileged_role.role in PRIVILEGED_ROLES
    ]
    if not all(
        has_authority_over(actor, privileged_role)
        for privileged_role in (HeldRole(role, path), *privileged)
    ):
        return Denied("role.revoke.not_above")
    if not all(
        has_lasting_authority_over(actor, privileged_role)
        for privileged_role in privileged
        if privileged_role.role in MANAGING_ROLES
    ):
        return Denied("role.revoke.not_as_long")
    return Allowed("role.revoke.administrator")
