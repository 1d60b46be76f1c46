"""Who may grant what: never more than they hold."""

from collections.abc import Iterable

from shared.contracts.identity import Role
from shared.contracts.ids import StructureId
from shared.kit.policy import Actor, Allowed, Denied, Verdict


def may_grant(actor: Actor, role: Role, line: Iterable[StructureId]) -> Verdict:
    """An administrator there or above; operator only by an operator."""
    places = tuple(line)
    if role is Role.OPERATOR and not actor.holds([Role.OPERATOR], within=places):
        return Denied("role.grant.not_more_than_held")
    if actor.holds([Role.ADMINISTRATOR], within=places):
        return Allowed("role.grant.administrator")
    return Denied("role.grant.administrator")
