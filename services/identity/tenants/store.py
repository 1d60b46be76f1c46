"""The tenants in PostgreSQL."""

from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.identity.tenants.domain import Tenant
from services.identity.tenants.tables import TENANTS
from shared.contracts.ids import TenantId
from shared.kit.core.unit_of_work import Unit
from shared.kit.database.database import connection


class SqlTenants:
    """See `ports.Tenants`."""

    async def add(self, unit: Unit, tenant: Tenant) -> bool:
        """Add a tenant; False when its slug is taken."""
        statement = insert(TENANTS).values(**asdict(tenant)).on_conflict_do_nothing()
        done = await connection(unit).execute(statement.returning(TENANTS.c.slug))
        return done.first() is not None

    async def find(self, unit: Unit, slug: str) -> Tenant | None:
        """Find a tenant by its slug."""
        found = await connection(unit).execute(sa.select(TENANTS).where(TENANTS.c.slug == slug))
        row = found.mappings().first()
        return Tenant(**row) if row else None

    async def tenant_id_of(self, unit: Unit, slug: str) -> TenantId | None:
        """Find the tenant of this slug."""
        tenant = await self.find(unit, slug)
        return tenant.tenant_id if tenant else None
