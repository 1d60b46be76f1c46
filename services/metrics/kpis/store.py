"""Recorded activity, read from PostgreSQL."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from services.metrics.dimensions.domain import Space
from services.metrics.kpis.domain import RecordedActivity, days_of_mask
from shared.contracts.ids import MemberId, SpaceId, TenantId
from shared.kit.core.unit_of_work import Unit
from shared.kit.database.database import connection

_COUNTS = sa.text("""
    SELECT day, what, sum(n)::int AS n FROM day_counts
    WHERE tenant_id = :tenant AND space_id = ANY(:spaces) AND day >= :begin AND day < :end
    GROUP BY day, what
""")
_ACTIVE_MONTHS = sa.text("""
    SELECT p.member_id, p.month, bit_or(p.mask) AS mask FROM person_months p
    LEFT JOIN rights_members m ON m.tenant_id = p.tenant_id AND m.member_id = p.member_id
    WHERE p.tenant_id = :tenant AND p.space_id = ANY(:spaces)
      AND p.month >= :first AND p.month < :end AND COALESCE(m.kind, 'person') <> 'system'
    GROUP BY p.member_id, p.month
""")
_QUESTIONS = sa.text("""
    SELECT space_id, asked_at, extract(epoch FROM answered_at - asked_at) / 3600 AS hours
    FROM questions
    WHERE tenant_id = :tenant AND space_id = ANY(:spaces)
      AND asked_at >= :early AND asked_at < :late
""")
_MAX_ZONE_OFFSET = timedelta(days=2)
"""More than any time zone's offset from UTC; local days are compared afterwards."""


class SqlActivityRecords:
    """See `ports.Figures`."""

    async def read(
        self, unit: Unit, tenant: TenantId, spaces: Sequence[Space], begin: date, end: date
    ) -> RecordedActivity:
        """See `ports.ActivityRecords`."""
        values = {
            "tenant": tenant,
            "spaces": [space.space_id for space in spaces],
            "begin": begin,
            "end": end,
        }
        db = connection(unit)
        window = {"early": begin - _MAX_ZONE_OFFSET, "late": end + _MAX_ZONE_OFFSET}
        first_month = {"first": begin.replace(day=1)}
        counts = (await db.execute(_COUNTS, values)).all()
        active_months = (await db.execute(_ACTIVE_MONTHS, values | first_month)).all()
        questions = (await db.execute(_QUESTIONS, values | window)).all()
        zones = {space.space_id: ZoneInfo(space.time_zone) for space in spaces}
        return await asyncio.to_thread(
            _to_recorded_activity, counts, active_months, questions, zones
        )


Rows = Sequence[sa.Row[Any]]


def _to_recorded_activity(
    counts: Rows, active_months: Rows, questions: Rows, zones: Mapping[SpaceId, ZoneInfo]
) -> RecordedActivity:
    """Convert rows, possibly hundreds of thousands: call it in a thread, not in the event loop."""
    days_of: dict[MemberId, set[date]] = defaultdict(set)
    for row in active_months:
        days_of[row.member_id].update(days_of_mask(row.month, row.mask))
    return RecordedActivity(
        counts={(row.day, row.what): row.n for row in counts},
        days_of={member: frozenset(days) for member, days in days_of.items()},
        questions=[
            (
                row.asked_at.astimezone(zones[row.space_id]).date(),
                None if row.hours is None else float(row.hours),
            )
            for row in questions
        ],
    )
