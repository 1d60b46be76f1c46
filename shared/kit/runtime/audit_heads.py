"""Publish where each audit chain ends, so that a later change of the rows shows.

The heads are read as the relay's role, which sees the number and the hash of every tenant's rows
and nothing of what was done. What is new is found by the number of the transaction that wrote it:
all below the oldest one that still runs are complete.
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
_HORIZON = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_NEW_HEADS = """
    SELECT DISTINCT ON (tenant_id, member_id) tenant_id, member_id, number, hash FROM audit
    WHERE transaction >= $1 AND transaction < $2
    ORDER BY tenant_id, member_id, number DESC
"""
_PROGRESS = sa.text("SELECT next_transaction FROM audit_progress")
_BEGIN = sa.text(
    "INSERT INTO audit_progress (one, next_transaction) VALUES (true, 0) ON CONFLICT DO NOTHING"
)
_MOVE = sa.text("""
    UPDATE audit_progress SET next_transaction = :horizon WHERE next_transaction = :begin
""")


@dataclass(frozen=True)
class AuditHeadsPublisher:
    """Publishes the heads of one service's chains; `signer` is None where no key is set."""

    database: Database
    relay_url: str
    signer: AuditSigner | None

    async def publish(self) -> int:
        """Publish the chains that grew since the last call; give how many.

        Does nothing if another process of the service did it meanwhile.
        """
        begin = await self._begin()
        connection = await asyncpg.connect(
            self.relay_url.replace("+asyncpg", "", 1),
            timeout=CONNECT_TIMEOUT_SECONDS,
            command_timeout=QUERY_TIMEOUT_SECONDS,
        )
        try:
            horizon: int = await connection.fetchval(_HORIZON)
            # A database that was restored into a new server counts transactions anew.
            rows = await connection.fetch(_NEW_HEADS, begin if begin <= horizon else 0, horizon)
        finally:
            await connection.close(timeout=CONNECT_TIMEOUT_SECONDS)
        await self._record(rows, begin, horizon)
        return len(rows)

    async def _begin(self) -> int:
        rows = await self.database.execute_once(_PROGRESS)
        if not rows:
            await self.database.execute_once(_BEGIN)
        return int(rows[0].next_transaction) if rows else 0

    async def _record(self, rows: Sequence[asyncpg.Record], begin: int, horizon: int) -> None:
        tenants = sorted({TenantId(row["tenant_id"]) for row in rows})
        async with self.database.unit_for(tenants) as unit:
            moved = await unit.connection.execute(_MOVE, {"begin": begin, "horizon": horizon})
            if moved.rowcount != 1:
                return
            for tenant, heads in groupby(rows, lambda row: TenantId(row["tenant_id"])):
                caller = Caller(tenant, None, correlation=f"audit-heads-{horizon}")
                for fact in self._facts(tenant, list(heads), unit.now):
                    unit.record(fact, caused_by=caller)

    def _facts(
        self, tenant: TenantId, rows: Sequence[asyncpg.Record], now: datetime
    ) -> list[AuditSealed]:
        kind = audit_fact(self.database.service)
        heads = [
            AuditHead(member_id=MemberId(r["member_id"]), number=r["number"], hash=r["hash"])
            for r in rows
        ]
        facts = [
            kind(tenant_id=tenant, through=now, heads=tuple(heads[i : i + MAX_HEADS_PER_FACT]))
            for i in range(0, len(heads), MAX_HEADS_PER_FACT)
        ]
        return [self.signer.sign(fact) if self.signer else fact for fact in facts]
