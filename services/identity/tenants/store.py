"""Tenants in PostgreSQL."""

from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.identity.tenants.domain import Tenant
from services.identity.tenants.tables import TENANTS
from shared.contracts.ids import TenantId
from shared.kit.core.unit_of_work import Unit
from shared.kit.database.database import connection


class SqlTenants:
    """See `ports.Tenants`, and `sessions.ports.TenantDirectory`."""

    async def add(self, unit: Unit, tenant: Tenant) -> bool:
        statement = insert(TENANTS).values(**asdict(tenant)).on_conflict_do_nothing()
        result = await connection(unit).execute(statement.returning(TENANTS.c.slug))
        return result.first() is not None

    async def find(self, unit: Unit, slug: str) -> Tenant | None:
        result = await connection(unit).execute(sa.select(TENANTS).where(TENANTS.c.slug == slug))
        row = result.mappings().first()
        return Tenant(**row) if row else None

    async def tenant_id_of(self, unit: Unit, slug: str) -> TenantId | None:
        tenant = await self.find(unit, slug)
        return tenant.tenant_id if tenant else None
