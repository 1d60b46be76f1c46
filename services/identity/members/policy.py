"""Who may add, suspend, reinstate and import members."""

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

    `line` is the member's structure with its ancestors, `held` every role that the member holds:
    the actor administers the structure, and stands at or above each of these roles; above an
    administrator's, for as long as it holds.
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
    """Allow a member to be invited by one whose right ends no sooner than the member's power.

    `held` are the member's roles. Asked after `may_manage`: who holds an invitation may set the
    password, and have every role that the member has.
    """
    privileged = (role for role in held_roles if role.role in PRIVILEGED_ROLES)
    if not all(has_lasting_authority_over(actor, role) for role in privileged):
        return Denied("member.invite.not_as_long")
    return Allowed("member.invite.administrator")


def may_import(actor: Actor, ancestry: Iterable[StructureId]) -> Verdict:
    """Allow an administrator or an operator of the structure, or above it, to import members.

    `line` is the structure with its ancestors; the tenant's root when members get none.
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
    """Let an administrator or an operator of the tenant send a chunk; asked before it is read."""
    if actor.holds_anywhere(Role.ADMINISTRATOR, Role.OPERATOR):
        return Allowed("import.administrator")
    return Denied("import.administrator")
