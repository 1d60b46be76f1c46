"""Screenings in PostgreSQL, their texts sealed; the bodies of `Screener`."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa
from cryptography.fernet import Fernet
from sqlalchemy.dialects.postgresql import insert

from services.moderation.rules.handlers.screen_text import Engine
from services.moderation.screening.domain import Screened, Unscreened, unread_text
from services.moderation.screening.handlers.read_text import decode_screened, encode, read_text
from services.moderation.screening.ports import Record
from services.moderation.screening.tables import SCREENINGS
from shared.contracts.ids import ContentId, TenantId
from shared.kit.database import connection
from shared.kit.unit import Unit
from shared.kit.workers.pool import WorkerPool
from shared.kit.workers.process import Lost

_NEW = insert(SCREENINGS)
# Built once: what holds its rows is compiled for each batch, row by row.
_KEEP = _NEW.on_conflict_do_update(
    index_elements=["tenant_id", "content_id"],
    set_={each.name: _NEW.excluded[each.name] for each in SCREENINGS.c if not each.primary_key},
    where=SCREENINGS.c.version <= _NEW.excluded.version,
)


@dataclass(frozen=True)
class RuleScreener:
    """See `ports.Screener`; reads in this very process, without a deadline: for tests."""

    engine: Engine

    async def screen(self, texts: Sequence[Unscreened]) -> Sequence[Screened]:
        """See `ports.Screener`."""
        screened = []
        for text in texts:
            screened.append(read_text(self.engine, text))
            await asyncio.sleep(0)
        return screened


@dataclass(frozen=True)
class WorkerScreener:
    """See `ports.Screener`; reads in processes of their own, each text within a deadline."""

    pool: WorkerPool

    async def screen(self, texts: Sequence[Unscreened]) -> Sequence[Screened]:
        """See `ports.Screener`."""
        answers = await self.pool.run([encode(text) for text in texts])
        return [
            unread_text(text.content) if isinstance(answer, Lost) else decode_screened(answer)
            for text, answer in zip(texts, answers, strict=True)
        ]


class SqlScreenings:
    """See `ports.Screenings`, and `cases.ports.Texts`."""

    def __init__(self, key: str) -> None:
        """Take the Fernet key. Raises ValueError when it is not one."""
        self._fernet = Fernet(key)

    async def keep(self, unit: Unit, records: Sequence[Record]) -> None:
        """Keep them, in sorted order of their keys."""
        latest = {(record.tenant, record.subject.content_id): record for record in records}
        rows = [
            {
                "tenant_id": tenant,
                "content_id": content,
                "version": record.subject.version,
                "content_hash": record.content_hash,
                "verdict": record.screened.verdict.value,
                "score": record.screened.score,
                "rules": msgspec.to_builtins(record.screened.rules),
                "sealed": self._fernet.encrypt(record.screened.masked.encode()),
                "screened_at": unit.now,
            }
            for (tenant, content), record in sorted(latest.items())
        ]
        if rows:
            await connection(unit).execute(_KEEP, rows)

    async def read(self, unit: Unit, tenant: TenantId, content: ContentId) -> str | None:
        """Unseal the masked text of a content."""
        chosen = (SCREENINGS.c.tenant_id == tenant) & (SCREENINGS.c.content_id == content)
        sealed = await connection(unit).scalar(sa.select(SCREENINGS.c.sealed).where(chosen))
        return self._fernet.decrypt(sealed).decode() if sealed else None
