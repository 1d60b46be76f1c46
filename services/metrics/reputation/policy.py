"""Permission to see and close alerts."""

from services.metrics.dimensions.domain import Space
from services.metrics.reputation.domain import Alert
from shared.contracts.identity import Role
from shared.kit.core.policy import Actor, Allowed, Denied, Verdict

MANAGER_ROLES = (Role.COMMUNITY_MANAGER, Role.ADMINISTRATOR)


def may_manage_alert(actor: Actor, alert: Alert, space: Space | None) -> Verdict:
    """Community managers and administrators of the structure or of an ancestor."""
    ancestry = space.ancestry if space else (alert.structure_id,)
    if actor.holds(MANAGER_ROLES, within=ancestry):
        return Allowed("alert.manager")
    return Denied("alert.manager")
