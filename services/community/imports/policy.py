"""Rights to import content."""

from services.community.spaces.domain import Space
from shared.contracts.identity import Role
from shared.kit.core.policy import Actor, Allowed, Denied, Verdict


def may_import(actor: Actor, space: Space) -> Verdict:
    """Allow an administrator of the space's structure or above it, and an operator."""
    if actor.holds([Role.ADMINISTRATOR, Role.OPERATOR], within=space.ancestry):
        return Allowed("import.administrator")
    return Denied("import.administrator")


def may_send_imports(actor: Actor) -> Verdict:
    """Allow an administrator or an operator of the tenant to send a chunk.

    The right is checked before the body is read, because a body may have 20 MB.
    """
    if actor.holds_anywhere(Role.ADMINISTRATOR, Role.OPERATOR):
        return Allowed("import.administrator")
    return Denied("import.administrator")
