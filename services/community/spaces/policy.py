"""Rights to see, open and join spaces."""

from services.community.spaces.domain import Membership, Space
from shared.contracts.community import Joining, Visibility
from shared.contracts.identity import Role
from shared.contracts.ids import StructureId
from shared.kit.core.policy import Actor, Allowed, Denied, Verdict

MANAGER_ROLES = (Role.ADMINISTRATOR, Role.MODERATOR, Role.COMMUNITY_MANAGER, Role.OPERATOR)
OPENER_ROLES = (Role.ADMINISTRATOR, Role.COMMUNITY_MANAGER, Role.OPERATOR)


def may_see(actor: Actor, space: Space, membership: Membership) -> Verdict:
    """Allow all to see a public space, else members, managers and members of the structure."""
    if space.visibility is Visibility.PUBLIC:
        return Allowed("space.see.public")
    if membership.is_member:
        return Allowed("space.see.member")
    if actor.holds(MANAGER_ROLES, within=space.ancestry):
        return Allowed("space.see.above")
    is_inside = actor.structure_id == space.structure_id or actor.structure_id in space.path
    if space.visibility is Visibility.STRUCTURE and is_inside:
        return Allowed("space.see.structure")
    return Denied("space.see.member")


def may_open(actor: Actor, ancestry: tuple[StructureId, ...]) -> Verdict:
    """Allow managers of the structure or of one above it, but no moderators."""
    if actor.holds(OPENER_ROLES, within=ancestry):
        return Allowed("space.open.administrator")
    return Denied("space.open.administrator")


def may_join(actor: Actor, space: Space, membership: Membership) -> Verdict:
    """Allow actors who see a space with open joining, and its managers in any case."""
    if actor.holds(MANAGER_ROLES, within=space.ancestry):
        return Allowed("space.join.above")
    if isinstance(may_see(actor, space, membership), Denied):
        return Denied("space.see.member")
    if space.joining is Joining.OPEN:
        return Allowed("space.join.open")
    return Denied("space.join.open")
