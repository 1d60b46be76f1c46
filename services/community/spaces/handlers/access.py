"""What other features ask of spaces: who sees one, and who stands above it."""

from services.community.spaces.domain import Membership, Space
from services.community.spaces.policy import MANAGER_ROLES, may_see
from shared.kit.core.policy import Actor, Verdict


def can_see(actor: Actor, space: Space, membership: Membership) -> Verdict:
    """Return whether this actor may see the space."""
    return may_see(actor, space, membership)


def manages(actor: Actor, space: Space) -> bool:
    """Return whether this actor runs, or moderates, the space's structure or one above it."""
    return actor.holds(MANAGER_ROLES, within=space.ancestry)
