"""What the roles' handlers need."""

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
    """Who holds what, where."""

    async def grant(
        self,
        unit: Unit,
        tenant: TenantId,
        member_id: MemberId,
        role: Role,
        structure_id: StructureId,
        until: datetime | None = None,
    ) -> None:
        """Grant a role, or change until when."""

    async def find(
        self, unit: Unit, tenant: TenantId, member_id: MemberId, role: Role, where: StructureId
    ) -> Grant | None:
        """Find the grant of this role in this very structure; expired ones too."""

    async def revoke(
        self, unit: Unit, tenant: TenantId, member_id: MemberId, role: Role, where: StructureId
    ) -> bool:
        """Take a role back; False when it was not held."""


@dataclass(frozen=True)
class RolesDeps:
    """Handed to the handlers of this feature."""

    unit: Units
    roles: Roles
    structures: Structures
    members: Members
