"""What the members' handlers need."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.identity.members.domain import Member
from services.identity.structures.ports import Structures
from shared.contracts.ids import MemberId, TenantId
from shared.kit.unit import NewId, Unit, Units


class Memberships(Protocol):
    """The members of a tenant."""

    async def add(self, unit: Unit, members: Sequence[Member]) -> set[MemberId]:
        """Add those that are new, and say which these were."""

    async def find(
        self, unit: Unit, tenant: TenantId, member_id: MemberId, *, lock: bool = False
    ) -> Member | None:
        """Find one; with `lock` nobody else changes it meanwhile."""

    async def set_standing(
        self, unit: Unit, member: Member, *, suspended: bool, until: datetime | None = None
    ) -> None:
        """Suspend or reinstate one."""


@dataclass(frozen=True)
class MembersDeps:
    """Handed to the handlers of this feature."""

    unit: Units
    memberships: Memberships
    structures: Structures
    new_id: NewId
