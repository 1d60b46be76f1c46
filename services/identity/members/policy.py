"""Who may add, suspend and reinstate members."""

from collections.abc import Iterable

from shared.contracts.identity import Role
from shared.contracts.ids import MemberId, StructureId
from shared.kit.policy import Actor, Allowed, Denied, Verdict


def may_manage(actor: Actor, line: Iterable[StructureId], member_id: MemberId | None) -> Verdict:
    """An administrator of the member's structure or above it, and never of oneself."""
    if member_id == actor.member_id:
        return Denied("member.manage.not_oneself")
    if actor.holds([Role.ADMINISTRATOR], within=line):
        return Allowed("member.manage.administrator")
    return Denied("member.manage.administrator")


def may_import(actor: Actor) -> Verdict:
    """An administrator or an operator of the tenant."""
    if actor.holds_anywhere(Role.ADMINISTRATOR, Role.OPERATOR):
        return Allowed("import.administrator")
    return Denied("import.administrator")
