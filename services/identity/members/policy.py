"""Rights to add, suspend, reinstate, invite and import members."""

from collections.abc import Iterable

from services.identity.members.domain import (
    MANAGING_ROLES,
    HeldRole,
    has_authority_over,
    has_lasting_authority_over,
)
from shared.contracts.identity import PRIVILEGED_ROLES, Role
from shared.contracts.ids import MemberId, StructureId
from shared.kit.core.policy import Actor, Allowed, Denied, Verdict


def may_manage(
    actor: Actor,
    ancestry: Iterable[StructureId],
    member_id: MemberId | None,
    held_roles: Iterable[HeldRole] = (),
) -> Verdict:
    """Allow an administrator to act on a member as a whole, never on oneself.

    `ancestry` is the member's structure with its ancestors, `held_roles` are all roles of the
    member. The actor must administer the structure and have authority over each of these roles;
    over a managing role for as long as it lasts.
    """
    if member_id == actor.member_id:
        return Denied("member.manage.not_oneself")
    if not actor.holds([Role.ADMINISTRATOR], within=ancestry):
        return Denied("member.manage.administrator")
    if not all(has_authority_over(actor, role) for role in held_roles):
        return Denied("member.manage.not_above")
    if not all(
        has_lasting_authority_over(actor, role)
        for role in held_roles
        if role.role in MANAGING_ROLES
    ):
        return Denied("member.manage.not_as_long")
    return Allowed("member.manage.administrator")


def may_invite(actor: Actor, held_roles: Iterable[HeldRole]) -> Verdict:
    """Allow an invitation if the actor's authority lasts as long as the member's privileged roles.

    `held_roles` are all roles of the member. Check `may_manage` first. The holder of an invitation
    can set the password, and then has every role of the member.
    """
    privileged = (role for role in held_roles if role.role in PRIVILEGED_ROLES)
    if not all(has_lasting_authority_over(actor, role) for role in privileged):
        return Denied("member.invite.not_as_long")
    return Allowed("member.invite.administrator")


def may_import(actor: Actor, ancestry: Iterable[StructureId]) -> Verdict:
    """Allow an administrator or an operator of the structure, or above it, to import members.

    `ancestry` is the structure with its ancestors; the tenant's root for members without a
    structure.
    """
    if actor.holds([Role.ADMINISTRATOR, Role.OPERATOR], within=ancestry):
        return Allowed("import.administrator")
    return Denied("import.administrator")


def may_import_system(actor: Actor, root: StructureId) -> Verdict:
    """Allow an administrator or an operator of the whole tenant to import system accounts."""
    if actor.holds([Role.ADMINISTRATOR, Role.OPERATOR], within=(root,)):
        return Allowed("import.system")
    return Denied("import.system")


def may_send_imports(actor: Actor) -> Verdict:
    """Allow an administrator or an operator of the tenant to send a chunk.

    The right is checked before the body is read, because a body may have 5 MB.
    """
    if actor.holds_anywhere(Role.ADMINISTRATOR, Role.OPERATOR):
        return Allowed("import.administrator")
    return Denied("import.administrator")
