"""Publish the last hash (head) of each audit chain, so that later changes of rows are detected.

The heads are read with the relay's role, which sees the number and the hash of every tenant's rows
and no other column. New rows are found by the id of the transaction that wrote them: every
transaction below the oldest running one is complete.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import asyncpg
import sqlalchemy as sa

from shared.contracts.audit import AuditHead, AuditSealed
from shared.contracts.catalogue import audit_fact
from shared.contracts.ids import MemberId, TenantId
from shared.kit.core.unit_of_work import Caller
from shared.kit.database.audit.signing import AuditSigner
from shared.kit.database.database import Database

MAX_HEADS_PER_FACT = 500
CONNECT_TIMEOUT_SECONDS = 5.0
QUERY_TIMEOUT_SECONDS = 30.0
_COMPLETE_BELOW = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_NEW_HEADS = """
    SELECT DISTINCT ON (tenant_id, member_id) tenant_id, member_id, number, hash FROM audit
    WHERE transaction >= $1 AND transaction < $2
    ORDER BY tenant_id, member_id, number DESC
"""
_PROGRESS = sa.text("SELECT next_transaction FROM audit_progress")
_INSERT_PROGRESS = sa.text(
    "INSERT INTO audit_progress (one, next_transaction) VALUES (true, 0) ON CONFLICT DO NOTHING"
)
_ADVANCE_PROGRESS = sa.text("""
    UPDATE audit_progress SET next_transaction = :horizon WHERE next_transaction = :begin
""")


@dataclass(frozen=True)
class AuditHeadsPublisher:
    """Publishes the heads of one service's chains, signed if `signer` is given."""

    database: Database
    relay_url: str
    signer: AuditSigner | None

    async def publish(self) -> int:
        """Publish the heads of chains that grew since the last call; return their number.

        Publishes nothing if another process of the service did it concurrently.
        """
        begin = await self._read_progress()
        connection = await asyncpg.connect(
            self.relay_url.replace("+asyncpg", "", 1),
            timeout=CONNECT_TIMEOUT_SECONDS,
            command_timeout=QUERY_TIMEOUT_SECONDS,
        )
        try:
            horizon: int = await connection.fetchval(_COMPLETE_BELOW)
            # A database restored into a new server starts again with low transaction ids.
            rows = await connection.fetch(_NEW_HEADS, begin if begin <= horizon else 0, horizon)
        finally:
            await connection.close(timeout=CONNECT_TIMEOUT_SECONDS)
        await self._record_events(rows, begin, horizon)
        return len(rows)

    async def _read_progress(self) -> int:
        rows = await self.database.execute_once(_PROGRESS)
        if not rows:
            await self.database.execute_once(_INSERT_PROGRESS)
        return int(rows[0].next_transaction) if rows else 0

    async def _record_events(
        self, rows: Sequence[asyncpg.Record], begin: int, horizon: int
    ) -> None:
        tenants = sorted({TenantId(row["tenant_id"]) for row in rows})
        async with self.database.unit_for(tenants) as unit:
            result = await unit.connection.execute(
                _ADVANCE_PROGRESS, {"begin": begin, "horizon": horizon}
            )
            if result.rowcount != 1:
                return
            for tenant, heads in groupby(rows, lambda row: TenantId(row["tenant_id"])):
                caller = Caller(tenant, None, correlation=f"audit-heads-{horizon}")
                for fact in self._make_events(tenant, list(heads), unit.now):
                    unit.record(fact, caused_by=caller)

    def _make_events(
        self, tenant: TenantId, rows: Sequence[asyncpg.Record], now: datetime
    ) -> list[AuditSealed]:
        event_type = audit_fact(self.database.service)
        heads = [
            AuditHead(member_id=MemberId(r["member_id"]), number=r["number"], hash=r["hash"])
            for r in rows
        ]
        facts = [
            event_type(
                tenant_id=tenant, through=now, heads=tuple(heads[i : i + MAX_HEADS_PER_FACT])
            )
            for i in range(0, len(heads), MAX_HEADS_PER_FACT)
        ]
        return [self.signer.sign(fact) if self.signer else fact for fact in facts]
