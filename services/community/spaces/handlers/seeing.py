"""What other features ask of spaces: who sees one, and who stands above it."""

from services.community.spaces.domain import Space, Standing
from services.community.spaces.policy import ABOVE, may_see
from shared.kit.core.policy import Actor, Verdict


def sees(actor: Actor, space: Space, standing: Standing) -> Verdict:
    """Say whether this actor may see the space."""
    return may_see(actor, space, standing)


def stands_above(actor: Actor, space: Space) -> bool:
    """Say whether this actor runs, or moderates, the space's structure or one above it."""
    return actor.holds(ABOVE, within=space.line)
