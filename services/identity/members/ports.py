"""Ports of members."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.identity.members.domain import HeldRole, Member
from services.identity.sessions.ports import Sessions
from services.identity.structures.ports import Structures
from shared.contracts.ids import MemberId, TenantId
from shared.kit.core.policy import Suspension
from shared.kit.core.unit_of_work import NewId, Unit, Units


class Members(Protocol):
    """Members of a tenant."""

    async def add(self, unit: Unit, members: Sequence[Member]) -> set[MemberId]:
        """Insert members that are new, by id, handle and address; return the ids of these."""

    async def find(
        self, unit: Unit, tenant: TenantId, member_id: MemberId, *, lock: bool = False
    ) -> Member | None:
        """Find a member; `lock` locks the row until the unit ends."""

    async def set_suspension(
        self, unit: Unit, member: Member, suspension: Suspension | None
    ) -> None:
        """Suspend a member, or reinstate the member (None)."""

    async def roles_of(
        self, unit: Unit, tenant: TenantId, member_id: MemberId
    ) -> Sequence[HeldRole]:
        """List the roles of a member at the unit's time."""

    async def has_other_administrator(
        self, unit: Unit, tenant: TenantId, member_id: MemberId
    ) -> bool:
        """Return whether another, not suspended member administers the whole tenant permanently.

        Locks these roles until the unit ends: of two administrators who remove each other
        concurrently, the second one reads what the first one committed.
        """


@dataclass(frozen=True)
class MembersDeps:
    """Dependencies of the handlers of members."""

    unit: Units
    members: Members
    structures: Structures
    new_id: NewId
    sessions: Sessions
