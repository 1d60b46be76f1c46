"""Builders of actors for tests of policies, with the members of `shared.contracts.example_data`."""

from shared.contracts.example_data import ACADEMY, COLLEGE, HAMID, TENANT
from shared.contracts.identity import Role
from shared.contracts.ids import MemberId, StructureId
from shared.kit.core.policy import Actor, Grant

ANCESTRY = (ACADEMY, COLLEGE)
"""The college with its ancestor."""


def an_actor(
    *roles: Role,
    at: StructureId = COLLEGE,
    of: StructureId | None = COLLEGE,
    member_id: MemberId = HAMID,
) -> Actor:
    """Build an actor of structure `of` with these roles in structure `at`."""
    return Actor(TENANT, member_id, of, grants=tuple(Grant(role, at) for role in roles))
