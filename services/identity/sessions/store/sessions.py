"""Sessions in PostgreSQL."""

from dataclasses import asdict
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.identity.sessions.domain import Session
from services.identity.sessions.tables import SESSIONS
from shared.contracts.ids import TenantId
from shared.kit.database import connection
from shared.kit.unit import Unit


class SqlSessions:
    """See `ports.Sessions`."""

    async def put(self, unit: Unit, session: Session) -> None:
        """Keep a session."""
        row = insert(SESSIONS).values(**asdict(session))
        change = {"refresh_hash": session.refresh_hash, "expires_at": session.expires_at}
        keys = ["tenant_id", "session_id"]
        await connection(unit).execute(row.on_conflict_do_update(index_elements=keys, set_=change))

    async def find(self, unit: Unit, tenant: TenantId, session_id: UUID) -> Session | None:
        """Find one and lock it."""
        chosen = (SESSIONS.c.tenant_id == tenant) & (SESSIONS.c.session_id == session_id)
        query = sa.select(SESSIONS).where(chosen).with_for_update()
        row = (await connection(unit).execute(query)).mappings().first()
        return Session(**row) if row else None

    async def end(self, unit: Unit, session: Session) -> None:
        """End a session."""
        chosen = (SESSIONS.c.tenant_id == session.tenant_id) & (
            SESSIONS.c.session_id == session.session_id
        )
        await connection(unit).execute(sa.delete(SESSIONS).where(chosen))
