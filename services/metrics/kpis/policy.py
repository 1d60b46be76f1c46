"""Permission to read KPIs, and to read those about few people."""

from services.metrics.dimensions.domain import Space
from shared.contracts.identity import Role
from shared.kit.core.policy import Actor, Allowed, Denied, Verdict

MANAGER_ROLES = (Role.COMMUNITY_MANAGER, Role.ADMINISTRATOR, Role.OPERATOR)


def may_measure(actor: Actor, space: Space) -> Verdict:
    """Community managers and administrators of the structure or of an ancestor, and operators."""
    if actor.holds(MANAGER_ROLES, within=space.ancestry):
        return Allowed("measure.manager")
    return Denied("measure.manager")


def may_see_unmasked(actor: Actor, space: Space) -> bool:
    """Operators; each such reading is written to the audit."""
    return actor.holds([Role.OPERATOR], within=space.ancestry)
