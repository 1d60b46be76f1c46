"""Access checks on spaces for other features."""

from services.community.spaces.domain import Membership, Space
from services.community.spaces.policy import MANAGER_ROLES, may_see
from shared.kit.core.policy import Actor, Verdict


def can_see(actor: Actor, space: Space, membership: Membership) -> Verdict:
    """Decide whether the actor may see the space."""
    return may_see(actor, space, membership)


def manages(actor: Actor, space: Space) -> bool:
    """Return whether the actor holds a managing role in the space's structure or above it."""
    return actor.holds(MANAGER_ROLES, within=space.ancestry)
