"""What the members' handlers need."""

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
    """The members of a tenant."""

    async def add(self, unit: Unit, members: Sequence[Member]) -> set[MemberId]:
        """Add those that are new, and say which these were."""

    async def find(
        self, unit: Unit, tenant: TenantId, member_id: MemberId, *, lock: bool = False
    ) -> Member | None:
        """Find one; with `lock` nobody else changes it meanwhile."""

    async def set_suspension(
        self, unit: Unit, member: Member, suspension: Suspension | None
    ) -> None:
        """Suspend one, or reinstate one (None)."""

    async def roles_of(
        self, unit: Unit, tenant: TenantId, member_id: MemberId
    ) -> Sequence[HeldRole]:
        """List the roles that a member holds at the unit's time."""

    async def has_other_administrator(
        self, unit: Unit, tenant: TenantId, member_id: MemberId
    ) -> bool:
        """Return whether somebody else administers the whole tenant, without an end, and may act.

        Locks these roles until the unit ends: of two administrators who remove each other at
        once, the second one sees what the first one did.
        """


@dataclass(frozen=True)
class MembersDeps:
    """Handed to the handlers of this feature."""

    unit: Units
    members: Members
    structures: Structures
    new_id: NewId
    sessions: Sessions
