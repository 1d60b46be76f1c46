"""Rights to open structures."""

from services.identity.structures.domain import Structure
from shared.contracts.identity import Role
from shared.kit.core.policy import Actor, Allowed, Denied, Verdict


def may_open_below(actor: Actor, parent: Structure) -> Verdict:
    """Allow an administrator of the parent structure, or above it."""
    if actor.holds([Role.ADMINISTRATOR], within=parent.ancestry):
        return Allowed("structure.open.administrator")
    return Denied("structure.open.administrator")
