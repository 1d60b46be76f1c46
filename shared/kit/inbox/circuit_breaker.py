"""When most of what a group reads fails, it stops: nothing more is parked, and operators see why.

A bad deploy must not drain the log into dead letters. The state stands in the service's database,
so that all its processes know it and an operator can lift it; it costs the ordinary batch nothing.
While a group is stopped, a batch passes only if nothing of it must be put aside. It goes on by
itself when the record at which it stopped is behind it and most of its batch went well.

What was parked is judged too when it is tried again (ADR 0043): once until the group is stopped and
goes on, then anew. Stopped by one of those, it goes on by itself when that one is applied.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.kit.core.bus import Partition
from shared.kit.core.errors import Conflict
from shared.kit.core.unit_of_work import Caller
from shared.kit.database.database import Database, SqlUnit
from shared.kit.inbox.batch import BatchOutcome
from shared.kit.inbox.parked import NO_SUBJECT, LogPosition
from shared.kit.inbox.thresholds import (
    FailedBatch,
    FailedRetry,
    FailureThreshold,
    RetryVerdict,
    count_failed_and_tried,
    describe_failures,
    keep_recent,
)
from shared.kit.telemetry.logs import get_logger

log = get_logger("halts")
RETRY_INTERVAL_SECONDS = 30.0
"""Seconds between two attempts of a stopped group."""
STATE_POLL_SECONDS = 1.0
"""Seconds between two looks whether somebody has lifted the halt."""

_KNOW = sa.text("""
    INSERT INTO halts (consumer_group) VALUES (:consumer_group) ON CONFLICT DO NOTHING
""")
_LOCK = sa.text("""
    SELECT since, cause, topic, partition, "offset", accept_failures, accept_until, applied, lifted,
           CAST(recent AS text) AS recent,
           (SELECT COALESCE(sum(applied), 0) FROM positions
            WHERE consumer_group = :consumer_group) AS applied_now
    FROM halts WHERE consumer_group = :consumer_group FOR UPDATE
""")
_PASS = sa.text("""
    UPDATE halts SET since = NULL, cause = NULL, topic = NULL, partition = NULL, "offset" = NULL,
                     recent = CAST(:recent AS jsonb), applied = :applied, lifted = :lifted,
                     accept_failures = :accept_failures
    WHERE consumer_group = :consumer_group
""")
_STOP = sa.text("""
    INSERT INTO halts AS h (consumer_group, since, cause, topic, partition, "offset")
    VALUES (:consumer_group, :now, :cause, :topic, :partition, :offset)
    ON CONFLICT (consumer_group) DO UPDATE
    SET since = COALESCE(h.since, excluded.since), cause = excluded.cause,
        topic = excluded.topic, partition = excluded.partition, "offset" = excluded."offset"
    RETURNING since
""")
_RESUME = sa.text("""
    UPDATE halts SET since = NULL, cause = NULL, topic = NULL, partition = NULL, "offset" = NULL,
                     recent = '[]', lifted = :now,
                     accept_failures = :failures, accept_until = :until
    WHERE consumer_group = :consumer_group
""")
_LIFT = sa.text("""
    UPDATE halts SET since = NULL, cause = NULL, topic = NULL, partition = NULL, "offset" = NULL,
                     recent = '[]', lifted = :now
    WHERE consumer_group = :consumer_group AND since IS NOT NULL
      AND topic = :topic AND partition = :partition AND "offset" = :offset
    RETURNING consumer_group
""")
_AT_ONCE = sa.text("""
    UPDATE parked SET next_try = :now
    WHERE consumer_group = :consumer_group AND state = 'parked' AND next_try > :now
""")
_STATE = sa.text("""
    SELECT since, cause, topic, partition, "offset", accept_failures, accept_until
    FROM halts WHERE consumer_group = :consumer_group
""")


class CircuitNotOpen(Conflict):
    """The group is not stopped, and nothing was accepted for later."""

    key = "not_stopped"


@dataclass(frozen=True, slots=True)
class CircuitState:
    """What the row of a group says: stopped or not, and what an operator accepted."""

    since: datetime | None
    cause: str | None
    place: str | None
    accept_failures: int = 0
    accept_until: datetime | None = None


class CircuitOpen(Exception):
    """The group stops, or stays stopped; nothing of this batch is kept.

    `place` is the record that must go well; None for a batch that waits for another partition.
    """

    def __init__(self, cause: str, place: LogPosition | None) -> None:
        super().__init__(cause)
        self.cause, self.place = cause, place


async def check_batch(
    unit: SqlUnit, group: str, limit: FailureThreshold, work: BatchOutcome
) -> None:
    """Let a batch pass in which something failed, or that comes while the group is stopped.

    Raises `CircuitOpen` when too much failed. Holds the group's row until the batch is committed.
    """
    await unit.connection.execute(_KNOW, {"consumer_group": group})
    row = (await unit.connection.execute(_LOCK, {"consumer_group": group})).one()
    failures, applied = work.failures, work.counts["applied"]
    accepted = _accepted(row, len(failures), unit.now)
    if row.since is not None and not accepted:
        if not _reaches(work, row):
            if work.parked_records:
                raise CircuitOpen(row.cause, None)
            return
        if len(failures) * 2 > applied + len(failures):
            raise _stopped([_entry(work, applied, unit.now)], work)
    latest_ones: list[FailedBatch] = []
    if row.since is None and failures and not accepted:
        latest = _entry(work, applied, unit.now)
        latest_ones = _recent(row, limit, latest)
        for span in ([latest], latest_ones):
            if limit.is_exceeded(*count_failed_and_tried(span)):
                raise _stopped(span, work)
    await _pass(unit, group, row, latest_ones, applied, len(failures) if accepted else 0)


async def check_retry(
    unit: SqlUnit, group: str, limit: FailureThreshold, again: FailedRetry
) -> RetryVerdict:
    """Judge a parked event that failed again; stop the group when too much failed.

    Holds the group's row until the unit is committed.
    """
    await unit.connection.execute(_KNOW, {"consumer_group": group})
    row = (await unit.connection.execute(_LOCK, {"consumer_group": group})).one()
    if row.since is not None:
        return RetryVerdict.CIRCUIT_OPEN
    if _known(row, again):
        return RetryVerdict.ALREADY_COUNTED
    if _accepted(row, 1, unit.now):
        await _pass(unit, group, row, [], 0, 1)
        return RetryVerdict.COUNTED
    failed = _recent(row, limit, FailedBatch(unit.now, 0, 0, {again.pattern: 1}))
    if limit.is_exceeded(*count_failed_and_tried(failed)):
        stopped = CircuitOpen(describe_failures(failed), again.position)
        found = await unit.connection.execute(_STOP, _stop_values(group, stopped, unit.now))
        _tell(group, stopped, found.one().since, unit.now)
        return RetryVerdict.CIRCUIT_OPEN
    await _pass(unit, group, row, failed, 0, 0)
    return RetryVerdict.COUNTED


async def close_if_recovered(unit: SqlUnit, group: str, place: LogPosition) -> None:
    """Let the group go on if this was the record at which it stopped; it is applied now."""
    values = {"topic": place.topic, "partition": place.partition, "offset": place.offset}
    found = await unit.connection.execute(
        _LIFT, {"consumer_group": group, "now": unit.now, **values}
    )
    if found.first() is not None:
        log.info("goes on", group=group, place=str(place))


async def open_circuit(database: Database, group: str, stopped: CircuitOpen, now: datetime) -> None:
    """Write down that the group is stopped, since when and why, once its batch is rolled back."""
    if stopped.place is None:
        return
    (row,) = await database.execute_once(_STOP, **_stop_values(group, stopped, now))
    _tell(group, stopped, row.since, now)


def _stop_values(group: str, stopped: CircuitOpen, now: datetime) -> dict[str, Any]:
    assert stopped.place is not None  # noqa: S101  who only waits for another stops nobody
    return {
        "consumer_group": group,
        "now": now,
        "cause": stopped.cause,
        "topic": stopped.place.topic,
        "partition": stopped.place.partition,
        "offset": stopped.place.offset,
    }


def _tell(group: str, stopped: CircuitOpen, since: datetime, now: datetime) -> None:
    tell = log.error if since == now else log.warning
    tell("stopped", group=group, cause=stopped.cause, since=since.isoformat())


async def get_state(connection: AsyncConnection, group: str) -> CircuitState:
    """Return whether the group is stopped."""
    found = await connection.execute(_STATE, {"consumer_group": group})
    row = found.first()
    return _halt(row) if row is not None else CircuitState(None, None, None)


async def resume(
    unit: SqlUnit,
    group: str,
    caller: Caller,
    failures: int = 0,
    period: timedelta | None = None,
) -> CircuitState:
    """Let the group go on, judged anew; give how it stood.

    So many further failures, or all within this period, are parked and die as usual, however many
    they are. Raises `CircuitNotOpen` when there is nothing to lift and nothing to accept.
    """
    await unit.connection.execute(_KNOW, {"consumer_group": group})
    row = (await unit.connection.execute(_LOCK, {"consumer_group": group})).one()
    if row.since is None and not failures and period is None:
        raise CircuitNotOpen(group=group)
    until = unit.now + period if period is not None else None
    await unit.connection.execute(
        _RESUME,
        {"consumer_group": group, "failures": failures, "until": until, "now": unit.now},
    )
    await unit.connection.execute(_AT_ONCE, {"consumer_group": group, "now": unit.now})
    told_until = until.isoformat() if until else ""
    unit.audit(
        caller,
        "consumer.resumed",
        NO_SUBJECT,
        group=group,
        cause=(row.cause or "")[:1000],
        accept_failures=failures,
        accept_until=told_until,
    )
    log.info("resumed", group=group, accept_failures=failures, accept_until=told_until)
    return _halt(row)


def _halt(row: sa.Row[Any]) -> CircuitState:
    place = str(LogPosition(row.topic, row.partition, row.offset)) if row.topic else None
    return CircuitState(row.since, row.cause, place, row.accept_failures, row.accept_until)


def _known(row: sa.Row[Any], again: FailedRetry) -> bool:
    """Return whether it has counted since the group last went on.

    Whoever accepts failures knows of those that are parked already: they use nothing of it up.
    """
    if again.counted is None:
        return False
    return row.lifted is None or again.counted >= row.lifted or row.accept_failures > 0


def _accepted(row: sa.Row[Any], failed: int, now: datetime) -> bool:
    """Return whether an operator said that these may fail."""
    until = row.accept_until
    return failed > 0 and (failed <= row.accept_failures or (until is not None and now < until))


def _reaches(work: BatchOutcome, row: sa.Row[Any]) -> bool:
    """Return whether the record at which the group stopped is in this batch."""
    move = work.moves.get(Partition(row.topic, row.partition))
    return move is not None and move.expected <= row.offset < move.next


def _entry(work: BatchOutcome, applied: int, now: datetime) -> FailedBatch:
    causes = Counter(aside.failure.pattern for aside in work.failures if aside.failure)
    return FailedBatch(now, 0, applied, dict(causes))


def _stopped(entries: Sequence[FailedBatch], work: BatchOutcome) -> CircuitOpen:
    first = work.failures[0].record
    place = LogPosition(first.partition.topic, first.partition.number, first.offset)
    return CircuitOpen(describe_failures(entries), place)


def _recent(row: sa.Row[Any], limit: FailureThreshold, latest: FailedBatch) -> list[FailedBatch]:
    kept = msgspec.json.decode(row.recent, type=list[FailedBatch])
    return keep_recent(kept, limit, latest, max(int(row.applied_now) - row.applied, 0))


async def _pass(
    unit: SqlUnit,
    group: str,
    row: sa.Row[Any],
    failed: Sequence[FailedBatch],
    applied: int,
    used: int,
) -> None:
    if row.since is not None:
        log.info("goes on", group=group, stopped_since=row.since.isoformat())
    timed = row.accept_until is not None and unit.now < row.accept_until
    left = row.accept_failures if timed else max(row.accept_failures - used, 0)
    values = {
        "recent": msgspec.json.encode(failed).decode(),
        "applied": int(row.applied_now) + applied,
        "accept_failures": left,
        "lifted": unit.now if row.since is not None else row.lifted,
    }
    await unit.connection.execute(_PASS, {"consumer_group": group, **values})
