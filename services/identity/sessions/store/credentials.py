"""Passwords in PostgreSQL, as hashes."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.identity.sessions.domain import Credential
from services.identity.sessions.tables import CREDENTIALS
from shared.contracts.ids import MemberId, TenantId
from shared.kit.database import connection
from shared.kit.text import address_key
from shared.kit.unit import Unit

_BY_EMAIL = sa.text("""
    SELECT c.tenant_id, c.member_id, c.password_hash FROM credentials c
    JOIN members m ON m.tenant_id = c.tenant_id AND m.member_id = c.member_id
    WHERE c.tenant_id = :tenant AND m.email_key = :email
      AND NOT (m.suspended AND (m.suspended_until IS NULL OR m.suspended_until > :now))
""")


class SqlCredentials:
    """See `ports.Credentials`."""

    async def find_by_email(self, unit: Unit, tenant: TenantId, email: str) -> Credential | None:
        """Find a credential by the member's address."""
        values = {"tenant": tenant, "email": address_key(email), "now": unit.now}
        found = await connection(unit).execute(_BY_EMAIL, values)
        row = found.mappings().first()
        return Credential(**row) if row else None

    async def set_password(
        self, unit: Unit, tenant: TenantId, member_id: MemberId, password_hash: str
    ) -> bool:
        """Set the first password."""
        row = insert(CREDENTIALS).values(
            tenant_id=tenant, member_id=member_id, password_hash=password_hash
        )
        done = await connection(unit).execute(row.on_conflict_do_nothing())
        return bool(done.rowcount)
