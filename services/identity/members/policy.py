"""Who may add, suspend, reinstate and import members."""

from collections.abc import Iterable

from services.identity.members.domain import HeldRole, stands_at_or_above
from shared.contracts.identity import Role
from shared.contracts.ids import MemberId, StructureId
from shared.kit.policy import Actor, Allowed, Denied, Verdict


def may_manage(
    actor: Actor,
    line: Iterable[StructureId],
    member_id: MemberId | None,
    held: Iterable[HeldRole] = (),
) -> Verdict:
    """Allow an administrator to act on a member as a whole, never on oneself.

    `line` is the member's structure with its ancestors, `held` every role that the member holds:
    the actor administers the structure, and stands at or above each of these roles.
    """
    if member_id == actor.member_id:
        return Denied("member.manage.not_oneself")
    if not actor.holds([Role.ADMINISTRATOR], within=line):
        return Denied("member.manage.administrator")
    if not all(stands_at_or_above(actor, role) for role in held):
        return Denied("member.manage.not_above")
    return Allowed("member.manage.administrator")


def may_import(actor: Actor, line: Iterable[StructureId]) -> Verdict:
    """Allow an administrator or an operator of the structure, or above it, to import members.

    `line` is the structure with its ancestors; the tenant's root when members get none.
    """
    if actor.holds([Role.ADMINISTRATOR, Role.OPERATOR], within=line):
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
