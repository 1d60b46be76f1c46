"""Screenings in PostgreSQL, their texts sealed; the bodies of `Screener`."""

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
from services.moderation.screening.handlers.read_text import decode_screened, encode, read_text
from services.moderation.screening.ports import HelpOffer, ScreeningRecord
from services.moderation.screening.tables import HELP_OFFERS, SCREENINGS
from shared.contracts.ids import ContentId, TenantId
from shared.contracts.moderation import Verdict
from shared.kit.core.unit_of_work import Unit
from shared.kit.database.database import connection
from shared.kit.workers.pool import WorkerPool
from shared.kit.workers.process import TaskFailure

_NEW = insert(SCREENINGS)
# Built once: what holds its rows is compiled for each batch, row by row.
_KEEP = _NEW.on_conflict_do_update(
    index_elements=["tenant_id", "content_id", "version"],
    set_={each.name: _NEW.excluded[each.name] for each in SCREENINGS.c if not each.primary_key},
)


@dataclass(frozen=True)
class InProcessScreener:
    """See `ports.Screener`; reads in this very process, without a deadline: for tests."""

    engine: RuleEngine

    async def screen(self, texts: Sequence[ScreeningRequest]) -> Sequence[ScreeningResult]:
        """See `ports.Screener`."""
        screened = []
        for text in texts:
            screened.append(read_text(self.engine, text))
            await asyncio.sleep(0)
        return screened


@dataclass(frozen=True)
class WorkerPoolScreener:
    """See `ports.Screener`; reads in processes of their own, each text within a deadline."""

    pool: WorkerPool

    async def screen(self, texts: Sequence[ScreeningRequest]) -> Sequence[ScreeningResult]:
        """See `ports.Screener`."""
        answers = await self.pool.run([encode(text) for text in texts])
        return [
            unscreened_result(text.content)
            if isinstance(answer, TaskFailure)
            else decode_screened(answer)
            for text, answer in zip(texts, answers, strict=True)
        ]


class SqlScreenings:
    """See `ports.Screenings`, and `cases.ports.ScreenedTexts`."""

    def __init__(self, key: str) -> None:
        """Take the Fernet key. Raises ValueError when it is not one."""
        self._fernet = Fernet(key)

    async def save(self, unit: Unit, records: Sequence[ScreeningRecord]) -> None:
        """Keep them, in sorted order of their keys."""
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
            await connection(unit).execute(_KEEP, rows)

    async def list_versions(
        self, unit: Unit, tenant: TenantId, content: ContentId
    ) -> Sequence[TextVersion]:
        """Unseal the masked texts of a content."""
        query = sa.select(SCREENINGS).where(_of(tenant, content)).order_by(SCREENINGS.c.version)
        rows = await connection(unit).execute(query)
        return [
            TextVersion(row.version, self._fernet.decrypt(row.sealed).decode(), row.written_at)
            for row in rows
        ]

    async def find_passing_version(
        self, unit: Unit, tenant: TenantId, content: ContentId
    ) -> int | None:
        """Return the latest version if the rules passed it."""
        query = (
            sa.select(SCREENINGS.c.version, SCREENINGS.c.verdict, SCREENINGS.c.degraded)
            .where(_of(tenant, content))
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
        """Keep an offer."""
        row = insert(HELP_OFFERS).values(
            tenant_id=offer.tenant,
            content_id=offer.content_id,
            day=offer.day,
            version=offer.version,
            reason=offer.reason,
            recipient=offer.recipient,
        )
        return bool((await connection(unit).execute(row.on_conflict_do_nothing())).rowcount)


def _of(tenant: TenantId, content: ContentId) -> sa.ColumnElement[bool]:
    return (SCREENINGS.c.tenant_id == tenant) & (SCREENINGS.c.content_id == content)
