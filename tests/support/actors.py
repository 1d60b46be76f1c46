"""Who acts in the tests of policies: builders, on the contracts' own cast."""

from shared.contracts.cast import ACADEMY, COLLEGE, HAMID, TENANT
from shared.contracts.identity import Role
from shared.contracts.ids import MemberId, StructureId
from shared.kit.core.policy import Actor, Grant

ANCESTRY = (ACADEMY, COLLEGE)
"""The college and what stands above it."""


def an_actor(
    *roles: Role,
    at: StructureId = COLLEGE,
    of: StructureId | None = COLLEGE,
    member_id: MemberId = HAMID,
) -> Actor:
    """Someone of structure `of` who holds these roles in `at`."""
    return Actor(TENANT, member_id, of, grants=tuple(Grant(role, at) for role in roles))
