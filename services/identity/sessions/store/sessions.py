"""Sessions in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.identity.sessions.domain import Session
from services.identity.sessions.tables import SESSIONS
from shared.contracts.identity import SessionEnd
from shared.contracts.ids import MemberId, SessionId, TenantId
from shared.kit.core.unit_of_work import Unit
from shared.kit.database.database import connection

MAX_LISTED = 100
_IMMUTABLE_COLUMNS = ("tenant_id", "session_id", "member_id", "opened_at")


class SqlSessions:
    """See `ports.Sessions`; lists at most `MAX_LISTED` sessions."""

    async def save(self, unit: Unit, session: Session) -> None:
        values = asdict(session) | {"rotations": list(session.rotations)}
        change = {name: value for name, value in values.items() if name not in _IMMUTABLE_COLUMNS}
        row = insert(SESSIONS).values(**values)
        keys = ["tenant_id", "session_id"]
        await connection(unit).execute(row.on_conflict_do_update(index_elements=keys, set_=change))

    async def find(self, unit: Unit, tenant: TenantId, session_id: UUID) -> Session | None:
        condition = (SESSIONS.c.tenant_id == tenant) & (SESSIONS.c.session_id == session_id)
        query = sa.select(SESSIONS).where(condition).with_for_update()
        row = (await connection(unit).execute(query)).mappings().first()
        return _session(row) if row else None

    async def list_open(
        self, unit: Unit, tenant: TenantId, member_id: MemberId
    ) -> Sequence[Session]:
        query = (
            sa.select(SESSIONS)
            .where(*_is_open(unit, tenant, member_id))
            .order_by(SESSIONS.c.opened_at.desc(), SESSIONS.c.session_id.desc())
            .limit(MAX_LISTED)
        )
        rows = (await connection(unit).execute(query)).mappings()
        return [_session(row) for row in rows]

    async def end(
        self,
        unit: Unit,
        member: tuple[TenantId, MemberId],
        reason: SessionEnd,
        *,
        only: UUID | None = None,
        excluding: UUID | None = None,
    ) -> Sequence[SessionId]:
        change = sa.update(SESSIONS).where(*_is_open(unit, *member))
        if only is not None:
            change = change.where(SESSIONS.c.session_id == only)
        if excluding is not None:
            change = change.where(SESSIONS.c.session_id != excluding)
        statement = change.values(ended_because=reason.value).returning(SESSIONS.c.session_id)
        return sorted((await connection(unit).execute(statement)).scalars())


def _is_open(unit: Unit, tenant: TenantId, member: MemberId) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        SESSIONS.c.tenant_id == tenant,
        SESSIONS.c.member_id == member,
        SESSIONS.c.ended_because.is_(None),
        SESSIONS.c.expires_at > unit.now,
    )


def _session(row: sa.RowMapping) -> Session:
    end_reason = row["ended_because"]
    session_end = SessionEnd(end_reason) if end_reason is not None else None
    return Session(**{**row, "rotations": tuple(row["rotations"]), "ended_because": session_end})
