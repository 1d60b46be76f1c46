"""What the tenants' handlers need."""

from dataclasses import dataclass
from typing import Protocol

from services.identity.members.ports import Members
from services.identity.roles.ports import Roles
from services.identity.structures.ports import Structures
from services.identity.tenants.domain import Tenant
from shared.kit.core.unit_of_work import Clock, NewId, Unit, Units


class Tenants(Protocol):
    """The directory of tenants. It holds no data of theirs, and no row policy."""

    async def add(self, unit: Unit, tenant: Tenant) -> bool:
        """Add a tenant; False when its slug is taken."""

    async def find(self, unit: Unit, slug: str) -> Tenant | None:
        """Find a tenant by its slug."""


@dataclass(frozen=True)
class TenantsDeps:
    """Handed to the handlers of this feature."""

    unit: Units
    tenants: Tenants
    structures: Structures
    members: Members
    roles: Roles
    clock: Clock
    new_id: NewId
