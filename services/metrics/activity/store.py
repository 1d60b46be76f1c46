"""Activity counters in PostgreSQL: one statement per batch, in sorted key order."""

from collections.abc import Sequence

import sqlalchemy as sa

from services.metrics.activity.domain import ActivityEvent, DayCounts, MonthMasks
from services.metrics.activity.tables import HELD_BACK
from shared.contracts.ids import SpaceId, TenantId
from shared.kit.core.unit_of_work import Unit
from shared.kit.database.database import connection

_ADD_COUNTS = sa.text("""
    INSERT INTO day_counts AS c (tenant_id, space_id, day, what, n)
    SELECT * FROM unnest(CAST(:tenants AS uuid[]), CAST(:spaces AS uuid[]), CAST(:days AS date[]),
                         CAST(:whats AS text[]), CAST(:ns AS int[]))
    ON CONFLICT (tenant_id, space_id, day, what) DO UPDATE SET n = c.n + excluded.n
""")
_ADD_ACTIVE_DAYS = sa.text("""
    INSERT INTO person_months AS p (tenant_id, space_id, member_id, month, mask)
    SELECT * FROM unnest(CAST(:tenants AS uuid[]), CAST(:spaces AS uuid[]),
                         CAST(:members AS uuid[]), CAST(:months AS date[]), CAST(:masks AS int[]))
    ON CONFLICT (tenant_id, space_id, month, member_id) DO UPDATE SET mask = p.mask | excluded.mask
""")
_LOCK_SPACE = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:place, 14))")
_UPSERT_EARLIEST = """
    INSERT INTO questions AS q (tenant_id, space_id, question_id, {column})
    SELECT t, (array_agg(s ORDER BY nth))[1], id, min(at)
    FROM unnest(CAST(:tenants AS uuid[]), CAST(:spaces AS uuid[]), CAST(:ids AS uuid[]),
                CAST(:times AS timestamptz[])) WITH ORDINALITY AS v (t, s, id, at, nth)
    GROUP BY t, id ORDER BY t, id
    ON CONFLICT (tenant_id, question_id) DO UPDATE
    SET {column} = LEAST(COALESCE(q.{column}, excluded.{column}), excluded.{column})
"""
_ADD_QUESTIONS = sa.text(_UPSERT_EARLIEST.format(column="asked_at"))
_ADD_FIRST_ANSWERS = sa.text(_UPSERT_EARLIEST.format(column="answered_at"))


class SqlActivityCounters:
    """See `ports.ActivityCounters`."""

    async def add_counts(self, unit: Unit, counts: DayCounts, masks: MonthMasks) -> None:
        """See `ports.ActivityCounters`."""
        day_keys = sorted(counts)
        active_months = sorted(masks)
        if day_keys:
            tenants, spaces, dates, whats = zip(*day_keys, strict=True)
            await connection(unit).execute(
                _ADD_COUNTS,
                {
                    "tenants": list(tenants),
                    "spaces": list(spaces),
                    "days": list(dates),
                    "whats": list(whats),
                    "ns": [counts[key] for key in day_keys],
                },
            )
        if active_months:
            tenants, spaces, members, months = zip(*active_months, strict=True)
            await connection(unit).execute(
                _ADD_ACTIVE_DAYS,
                {
                    "tenants": list(tenants),
                    "spaces": list(spaces),
                    "members": list(members),
                    "months": list(months),
                    "masks": [masks[key] for key in active_months],
                },
            )

    async def add_questions(
        self, unit: Unit, questions: Sequence[tuple[ActivityEvent, str]]
    ) -> None:
        """See `ports.ActivityCounters`."""
        await _add_times(unit, _ADD_QUESTIONS, questions)

    async def add_first_answers(
        self, unit: Unit, answers: Sequence[tuple[ActivityEvent, str]]
    ) -> None:
        """See `ports.ActivityCounters`."""
        await _add_times(unit, _ADD_FIRST_ANSWERS, answers)


class SqlDeferredEvents:
    """See `ports.DeferredEvents`."""

    async def lock_spaces(self, unit: Unit, spaces: Sequence[tuple[TenantId, SpaceId]]) -> None:
        """See `ports.DeferredEvents`."""
        for tenant, space_id in sorted(set(spaces)):
            await connection(unit).execute(_LOCK_SPACE, {"place": f"{tenant}:{space_id}"})

    async def defer(self, unit: Unit, events: Sequence[ActivityEvent]) -> None:
        """See `ports.DeferredEvents`."""
        rows = [
            {
                "tenant_id": event.tenant,
                "space_id": event.space_id,
                "what": event.what,
                "at": event.at,
                "author": event.author,
            }
            for event in events
        ]
        await connection(unit).execute(sa.insert(HELD_BACK), rows)

    async def take_deferred(
        self, unit: Unit, tenant: TenantId, space_id: SpaceId
    ) -> Sequence[ActivityEvent]:
        """See `ports.DeferredEvents`."""
        condition = (HELD_BACK.c.tenant_id == tenant) & (HELD_BACK.c.space_id == space_id)
        statement = sa.delete(HELD_BACK).where(condition).returning(HELD_BACK)
        return [
            ActivityEvent(tenant, space_id, row.what, row.at, row.author)
            for row in await connection(unit).execute(statement)
        ]


async def _add_times(
    unit: Unit, statement: sa.TextClause, events: Sequence[tuple[ActivityEvent, str]]
) -> None:
    if events:
        await connection(unit).execute(
            statement,
            {
                "tenants": [event.tenant for event, _ in events],
                "spaces": [event.space_id for event, _ in events],
                "ids": [question for _, question in events],
                "times": [event.at for event, _ in events],
            },
        )
