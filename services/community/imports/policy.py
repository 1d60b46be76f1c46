"""Who may bring history in."""

from services.community.spaces.domain import Space
from shared.contracts.identity import Role
from shared.kit.core.policy import Actor, Allowed, Denied, Verdict


def may_import(actor: Actor, space: Space) -> Verdict:
    """An administrator of the space's structure or above it, or an operator."""
    if actor.holds([Role.ADMINISTRATOR, Role.OPERATOR], within=space.ancestry):
        return Allowed("import.administrator")
    return Denied("import.administrator")


def may_send_imports(actor: Actor) -> Verdict:
    """Let an administrator or an operator of the tenant send a chunk; asked before it is read."""
    if actor.holds_anywhere(Role.ADMINISTRATOR, Role.OPERATOR):
        return Allowed("import.administrator")
    return Denied("import.administrator")
