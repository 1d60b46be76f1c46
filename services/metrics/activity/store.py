"""The counters in PostgreSQL: one statement per batch, in sorted key order."""

from collections.abc import Sequence

import sqlalchemy as sa

from services.metrics.activity.domain import ActivityEvent, DayCounts, MonthMasks
from services.metrics.activity.tables import HELD_BACK
from shared.contracts.ids import SpaceId, TenantId
from shared.kit.core.unit_of_work import Unit
from shared.kit.database.database import connection

_COUNT = sa.text("""
    INSERT INTO day_counts AS c (tenant_id, space_id, day, what, n)
    SELECT * FROM unnest(CAST(:tenants AS uuid[]), CAST(:spaces AS uuid[]), CAST(:days AS date[]),
                         CAST(:whats AS text[]), CAST(:ns AS int[]))
    ON CONFLICT (tenant_id, space_id, day, what) DO UPDATE SET n = c.n + excluded.n
""")
_MARK = sa.text("""
    INSERT INTO person_months AS p (tenant_id, space_id, member_id, month, mask)
    SELECT * FROM unnest(CAST(:tenants AS uuid[]), CAST(:spaces AS uuid[]),
                         CAST(:members AS uuid[]), CAST(:months AS date[]), CAST(:masks AS int[]))
    ON CONFLICT (tenant_id, space_id, month, member_id) DO UPDATE SET mask = p.mask | excluded.mask
""")
_TURN = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:place, 14))")
_TIMES = """
    INSERT INTO questions AS q (tenant_id, space_id, question_id, {column})
    SELECT t, (array_agg(s ORDER BY nth))[1], id, min(at)
    FROM unnest(CAST(:tenants AS uuid[]), CAST(:spaces AS uuid[]), CAST(:ids AS uuid[]),
                CAST(:times AS timestamptz[])) WITH ORDINALITY AS v (t, s, id, at, nth)
    GROUP BY t, id ORDER BY t, id
    ON CONFLICT (tenant_id, question_id) DO UPDATE
    SET {column} = LEAST(COALESCE(q.{column}, excluded.{column}), excluded.{column})
"""
_ASKED = sa.text(_TIMES.format(column="asked_at"))
_ANSWERED = sa.text(_TIMES.format(column="answered_at"))


class SqlActivityCounters:
    """See `ports.Activity`."""

    async def add_counts(self, unit: Unit, counts: DayCounts, masks: MonthMasks) -> None:
        """Add to the day counts, and mark the days of people."""
        days = sorted(counts)
        people = sorted(masks)
        if days:
            tenants, spaces, dates, whats = zip(*days, strict=True)
            await connection(unit).execute(
                _COUNT,
                {
                    "tenants": list(tenants),
                    "spaces": list(spaces),
                    "days": list(dates),
                    "whats": list(whats),
                    "ns": [counts[place] for place in days],
                },
            )
        if people:
            tenants, spaces, members, months = zip(*people, strict=True)
            await connection(unit).execute(
                _MARK,
                {
                    "tenants": list(tenants),
                    "spaces": list(spaces),
                    "members": list(members),
                    "months": list(months),
                    "masks": [masks[place] for place in people],
                },
            )

    async def lock_spaces(self, unit: Unit, places: Sequence[tuple[TenantId, SpaceId]]) -> None:
        """Take turns on these spaces until commit."""
        for tenant, space_id in sorted(set(places)):
            await connection(unit).execute(_TURN, {"place": f"{tenant}:{space_id}"})

    async def defer(self, unit: Unit, happenings: Sequence[ActivityEvent]) -> None:
        """Keep what happened in a space that is not yet known."""
        rows = [
            {
                "tenant_id": each.tenant,
                "space_id": each.space_id,
                "what": each.what,
                "at": each.at,
                "author": each.author,
            }
            for each in happenings
        ]
        await connection(unit).execute(sa.insert(HELD_BACK), rows)

    async def take_deferred(
        self, unit: Unit, tenant: TenantId, space_id: SpaceId
    ) -> Sequence[ActivityEvent]:
        """Take out what was held back for a space."""
        chosen = (HELD_BACK.c.tenant_id == tenant) & (HELD_BACK.c.space_id == space_id)
        gone = sa.delete(HELD_BACK).where(chosen).returning(HELD_BACK)
        return [
            ActivityEvent(tenant, space_id, row.what, row.at, row.author)
            for row in await connection(unit).execute(gone)
        ]

    async def add_questions(self, unit: Unit, asked: Sequence[tuple[ActivityEvent, str]]) -> None:
        """Keep when questions were asked."""
        await _times(unit, _ASKED, asked)

    async def add_first_answers(
        self, unit: Unit, answered: Sequence[tuple[ActivityEvent, str]]
    ) -> None:
        """Keep when questions were first answered."""
        await _times(unit, _ANSWERED, answered)


async def _times(
    unit: Unit, statement: sa.TextClause, happenings: Sequence[tuple[ActivityEvent, str]]
) -> None:
    if happenings:
        await connection(unit).execute(
            statement,
            {
                "tenants": [each.tenant for each, _ in happenings],
                "spaces": [each.space_id for each, _ in happenings],
                "ids": [question for _, question in happenings],
                "times": [each.at for each, _ in happenings],
            },
        )
