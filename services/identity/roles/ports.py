"""Ports of roles."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.identity.members.ports import Members
from services.identity.structures.ports import Structures
from shared.contracts.identity import Role
from shared.contracts.ids import MemberId, StructureId, TenantId
from shared.kit.core.policy import Grant
from shared.kit.core.unit_of_work import Unit, Units


class Roles(Protocol):
    """Roles of members in structures."""

    async def grant(
        self,
        unit: Unit,
        tenant: TenantId,
        member_id: MemberId,
        role: Role,
        structure_id: StructureId,
        until: datetime | None = None,
    ) -> None:
        """Grant a role, or change when it ends."""

    async def find(
        self, unit: Unit, tenant: TenantId, member_id: MemberId, role: Role, where: StructureId
    ) -> Grant | None:
        """Find the grant of this role in exactly this structure; expired grants too."""

    async def revoke(
        self, unit: Unit, tenant: TenantId, member_id: MemberId, role: Role, where: StructureId
    ) -> bool:
        """Delete a grant; False when there is none."""


@dataclass(frozen=True)
class RolesDeps:
    """Dependencies of the handlers of roles."""

    unit: Units
    roles: Roles
    structures: Structures
    members: Members
