"""Screenings in PostgreSQL, their texts sealed; the rules' engine as body of `Screener`."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa
from cryptography.fernet import Fernet
from sqlalchemy.dialects.postgresql import insert

from services.moderation.rules.handlers.screen_text import Engine
from services.moderation.screening.domain import Screened, fingerprint, plain
from services.moderation.screening.ports import Record
from services.moderation.screening.tables import SCREENINGS
from shared.contracts.community import ContentText
from shared.contracts.ids import ContentId, TenantId
from shared.contracts.moderation import RuleRef, Verdict
from shared.kit.database import connection
from shared.kit.unit import Unit

_VERDICTS = {"hide": Verdict.HIDE, "review": Verdict.REVIEW}
_NEW = insert(SCREENINGS)
# Built once: what holds its rows is compiled for each batch, row by row.
_KEEP = _NEW.on_conflict_do_update(
    index_elements=["tenant_id", "content_id"],
    set_={each.name: _NEW.excluded[each.name] for each in SCREENINGS.c if not each.primary_key},
    where=SCREENINGS.c.version <= _NEW.excluded.version,
)


@dataclass(frozen=True)
class RuleScreener:
    """See `ports.Screener`; reads in this very process, without a deadline."""

    engine: Engine

    async def screen(self, contents: Sequence[ContentText]) -> Sequence[Screened]:
        """See `ports.Screener`."""
        screened = []
        for content in contents:
            screened.append(self.screen_one(content))
            await asyncio.sleep(0)
        return screened

    def screen_one(self, content: ContentText) -> Screened:
        """Say what the rules make of a content; rules that failed leave it degraded."""
        text = plain(content)
        found = self.engine.screen(text, language_hint=content.language)
        verdict = found.verdict
        return Screened(
            verdict=_VERDICTS.get(verdict.verdict, Verdict.PASS),
            score=verdict.score,
            rules=tuple(RuleRef(id=rule.id, version=rule.version) for rule in verdict.rules),
            policies=tuple(verdict.policies),
            reasons=verdict.reasons,
            masked=found.masked,
            content_hash=fingerprint(text),
            degraded=bool(verdict.failed),
            help=verdict.help,
        )


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
