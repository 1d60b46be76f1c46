"""Ports of tenants."""

from dataclasses import dataclass
from typing import Protocol

from services.identity.members.ports import Members
from services.identity.roles.ports import Roles
from services.identity.structures.ports import Structures
from services.identity.tenants.domain import Tenant
from shared.kit.core.unit_of_work import Clock, NewId, Unit, Units


class Tenants(Protocol):
    """The directory of tenants. It contains no tenant's data and has no row-level security."""

    async def add(self, unit: Unit, tenant: Tenant) -> bool:
        """Insert a tenant; False when its slug is taken."""

    async def find(self, unit: Unit, slug: str) -> Tenant | None:
        """Find a tenant by its slug."""


@dataclass(frozen=True)
class TenantsDeps:
    """Dependencies of the handlers of tenants."""

    unit: Units
    tenants: Tenants
    structures: Structures
    members: Members
    roles: Roles
    clock: Clock
    new_id: NewId
