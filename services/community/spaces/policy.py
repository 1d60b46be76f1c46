"""Who may see, open and join spaces."""

from services.community.spaces.domain import Space, Standing
from shared.contracts.community import Joining, Visibility
from shared.contracts.identity import Role
from shared.contracts.ids import StructureId
from shared.kit.core.policy import Actor, Allowed, Denied, Verdict

ABOVE = (Role.ADMINISTRATOR, Role.MODERATOR, Role.COMMUNITY_MANAGER, Role.OPERATOR)
OPENERS = (Role.ADMINISTRATOR, Role.COMMUNITY_MANAGER, Role.OPERATOR)


def may_see(actor: Actor, space: Space, standing: Standing) -> Verdict:
    """Public to all; otherwise its members, its structure's people, and who stands above it."""
    if space.visibility is Visibility.PUBLIC:
        return Allowed("space.see.public")
    if standing.belongs:
        return Allowed("space.see.member")
    if actor.holds(ABOVE, within=space.line):
        return Allowed("space.see.above")
    inside = actor.structure_id == space.structure_id or actor.structure_id in space.path
    if space.visibility is Visibility.STRUCTURE and inside:
        return Allowed("space.see.structure")
    return Denied("space.see.member")


def may_open(actor: Actor, line: tuple[StructureId, ...]) -> Verdict:
    """Who runs the structure, or stands above it."""
    if actor.holds(OPENERS, within=line):
        return Allowed("space.open.administrator")
    return Denied("space.open.administrator")


def may_join(actor: Actor, space: Space, standing: Standing) -> Verdict:
    """Whoever sees it, when joining is open; otherwise who stands above it."""
    if actor.holds(ABOVE, within=space.line):
        return Allowed("space.join.above")
    if isinstance(may_see(actor, space, standing), Denied):
        return Denied("space.see.member")
    if space.joining is Joining.OPEN:
        return Allowed("space.join.open")
    return Denied("space.join.open")
