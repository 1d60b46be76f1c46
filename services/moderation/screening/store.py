"""Screenings in PostgreSQL, their texts sealed; implementations of `Screener`."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa
from cryptography.fernet import Fernet
from sqlalchemy.dialects.postgresql import insert

from services.moderation.cases.domain import TextVersion
from services.moderation.rules.handlers.engine import RuleEngine
from services.moderation.screening.domain import (
    ScreeningRequest,
    ScreeningResult,
    unscreened_result,
)
from services.moderation.screening.handlers.worker import (
    decode_screened,
    encode,
    screen_content_text,
)
from services.moderation.screening.ports import HelpOffer, ScreeningRecord
from services.moderation.screening.tables import HELP_OFFERS, SCREENINGS
from shared.contracts.ids import ContentId, TenantId
from shared.contracts.moderation import Verdict
from shared.kit.core.unit_of_work import Unit
from shared.kit.database.database import connection
from shared.kit.workers.pool import WorkerPool
from shared.kit.workers.process import TaskFailure

_INSERT_SCREENING = insert(SCREENINGS)
# Built once: a statement that contains its rows is compiled again for each batch.
_UPSERT_SCREENING = _INSERT_SCREENING.on_conflict_do_update(
    index_elements=["tenant_id", "content_id", "version"],
    set_={
        column.name: _INSERT_SCREENING.excluded[column.name]
        for column in SCREENINGS.c
        if not column.primary_key
    },
)


@dataclass(frozen=True)
class InProcessScreener:
    """See `ports.Screener`; screens in this process, without a deadline: for tests."""

    engine: RuleEngine

    async def screen(self, texts: Sequence[ScreeningRequest]) -> Sequence[ScreeningResult]:
        """See `ports.Screener`."""
        screened = []
        for text in texts:
            screened.append(screen_content_text(self.engine, text))
            await asyncio.sleep(0)
        return screened


@dataclass(frozen=True)
class WorkerPoolScreener:
    """See `ports.Screener`; screens in worker processes, each text within a deadline."""

    pool: WorkerPool

    async def screen(self, texts: Sequence[ScreeningRequest]) -> Sequence[ScreeningResult]:
        """See `ports.Screener`."""
        replies = await self.pool.run([encode(text) for text in texts])
        return [
            unscreened_result(text.content)
            if isinstance(reply, TaskFailure)
            else decode_screened(reply)
            for text, reply in zip(texts, replies, strict=True)
        ]


class SqlScreenings:
    """See `ports.Screenings`, and `cases.ports.ScreenedTexts`."""

    def __init__(self, key: str) -> None:
        """Create it with a Fernet key. Raises ValueError when the key is invalid."""
        self._fernet = Fernet(key)

    async def save(self, unit: Unit, records: Sequence[ScreeningRecord]) -> None:
        """See `ports.Screenings`; rows are written in sorted order, which avoids deadlocks."""
        latest = {
            (record.tenant, record.subject.content_id, record.subject.version): record
            for record in records
        }
        rows = [
            {
                "tenant_id": tenant,
                "content_id": content,
                "version": version,
                "content_hash": record.content_hash,
                "verdict": record.screened.verdict.value,
                "score": record.screened.score,
                "degraded": record.screened.degraded,
                "rules": msgspec.to_builtins(record.screened.rules),
                "sealed": self._fernet.encrypt(record.screened.masked.encode()),
                "written_at": record.written_at,
                "screened_at": unit.now,
            }
            for (tenant, content, version), record in sorted(latest.items())
        ]
        if rows:
            await connection(unit).execute(_UPSERT_SCREENING, rows)

    async def list_versions(
        self, unit: Unit, tenant: TenantId, content: ContentId
    ) -> Sequence[TextVersion]:
        """See `cases.ports.ScreenedTexts`."""
        query = (
            sa.select(SCREENINGS).where(_of_content(tenant, content)).order_by(SCREENINGS.c.version)
        )
        rows = await connection(unit).execute(query)
        return [
            TextVersion(row.version, self._fernet.decrypt(row.sealed).decode(), row.written_at)
            for row in rows
        ]

    async def find_passing_version(
        self, unit: Unit, tenant: TenantId, content: ContentId
    ) -> int | None:
        """See `cases.ports.ScreenedTexts`."""
        query = (
            sa.select(SCREENINGS.c.version, SCREENINGS.c.verdict, SCREENINGS.c.degraded)
            .where(_of_content(tenant, content))
            .order_by(SCREENINGS.c.version.desc())
            .limit(1)
        )
        row = (await connection(unit).execute(query)).first()
        if row is None or row.degraded or row.verdict != Verdict.PASS.value:
            return None
        version: int = row.version
        return version


class SqlHelpOffers:
    """See `ports.HelpOffers`."""

    async def add(self, unit: Unit, offer: HelpOffer) -> bool:
        """See `ports.HelpOffers`."""
        row = insert(HELP_OFFERS).values(
            tenant_id=offer.tenant,
            content_id=offer.content_id,
            day=offer.day,
            version=offer.version,
            reason=offer.reason,
            recipient=offer.recipient,
        )
        return bool((await connection(unit).execute(row.on_conflict_do_nothing())).rowcount)


def _of_content(tenant: TenantId, content: ContentId) -> sa.ColumnElement[bool]:
    return (SCREENINGS.c.tenant_id == tenant) & (SCREENINGS.c.content_id == content)
