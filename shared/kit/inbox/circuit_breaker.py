"""Circuit breaker of a consumer group.

It opens when more than half of the recent events fail (and more than the threshold's
`max_failures`), so that a faulty deployment does not move the whole topic to dead letters. The
state is in the service's database (table `halts`), so all its processes share it; a batch without
failures does not touch it. While it is open, a batch is applied only if no event of it must be
parked. It closes when the record that opened it is applied and at least half of that batch
succeeds, or on `preau consumers resume`.

Retries of parked events count as well (ADR 0043): each event once until the circuit breaker closes
again. Opened by a retry, it closes when that event is applied.
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
from shared.kit.inbox import circuit_statements as statements
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
"""Between two attempts of a batch or a parked event while the circuit breaker is open."""
STATE_POLL_SECONDS = 1.0
"""Between two checks whether an operator has closed it."""


class CircuitNotOpen(Conflict):
    """The circuit breaker is not open, and no failures to accept were named."""

    key = "not_stopped"


@dataclass(frozen=True, slots=True)
class CircuitState:
    """The row of a group: open since when, why and at which record; the accepted failures.

    `since`, `cause` and `position` are None while the circuit breaker is closed.
    """

    since: datetime | None
    cause: str | None
    position: str | None
    accept_failures: int = 0
    accept_until: datetime | None = None


class CircuitOpen(Exception):
    """The circuit breaker opens or is open; the batch is rolled back.

    `position` is the record that must be applied before it closes; None when the batch waits for
    another partition.
    """

    def __init__(self, cause: str, position: LogPosition | None) -> None:
        super().__init__(cause)
        self.cause, self.position = cause, position


async def check_batch(
    unit: SqlUnit, group: str, threshold: FailureThreshold, outcome: BatchOutcome
) -> None:
    """Check a batch that contains failures, or that runs while the circuit breaker is open.

    Raises `CircuitOpen` when too many events failed. Locks the group's row until the commit.
    """
    row = await _lock_group(unit, group)
    failures, applied = outcome.failures, outcome.counts["applied"]
    accepted = _is_accepted(row, len(failures), unit.now)
    if row.since is not None and not accepted:
        if not _contains_opening_record(outcome, row):
            if outcome.parked_records:
                raise CircuitOpen(row.cause, None)
            return
        if len(failures) * 2 > applied + len(failures):
            raise _circuit_open([_failed_batch(outcome, applied, unit.now)], outcome)
    window: list[FailedBatch] = []
    if row.since is None and failures and not accepted:
        latest = _failed_batch(outcome, applied, unit.now)
        window = _recent_window(row, threshold, latest)
        for batches in ([latest], window):
            if threshold.is_exceeded(*count_failed_and_tried(batches)):
                raise _circuit_open(batches, outcome)
    await _close(unit, group, row, window, applied, len(failures) if accepted else 0)


async def check_retry(
    unit: SqlUnit, group: str, threshold: FailureThreshold, retry: FailedRetry
) -> RetryVerdict:
    """Count a parked event that failed again; open the circuit breaker above the threshold.

    Locks the group's row until the commit.
    """
    row = await _lock_group(unit, group)
    if row.since is not None:
        return RetryVerdict.CIRCUIT_OPEN
    if _has_counted(row, retry):
        return RetryVerdict.ALREADY_COUNTED
    if _is_accepted(row, 1, unit.now):
        await _close(unit, group, row, [], 0, 1)
        return RetryVerdict.COUNTED
    window = _recent_window(row, threshold, FailedBatch(unit.now, 0, 0, {retry.pattern: 1}))
    if threshold.is_exceeded(*count_failed_and_tried(window)):
        error = CircuitOpen(describe_failures(window), retry.position)
        open_rows = await unit.connection.execute(
            statements.OPEN, _open_values(group, error, unit.now)
        )
        _log_open(group, error, open_rows.one().since, unit.now)
        return RetryVerdict.CIRCUIT_OPEN
    await _close(unit, group, row, window, 0, 0)
    return RetryVerdict.COUNTED


async def close_if_recovered(unit: SqlUnit, group: str, position: LogPosition) -> None:
    """Close the circuit breaker if the parked event at this position, now applied, opened it."""
    values = {
        "topic": position.topic,
        "partition": position.partition,
        "offset": position.offset,
    }
    closed = await unit.connection.execute(
        statements.CLOSE_AT, {"consumer_group": group, "now": unit.now, **values}
    )
    if closed.first() is not None:
        log.info("goes on", group=group, place=str(position))


async def open_circuit(database: Database, group: str, error: CircuitOpen, now: datetime) -> None:
    """Write the open state in its own transaction, after the batch was rolled back."""
    if error.position is None:
        return
    (row,) = await database.execute_once(statements.OPEN, **_open_values(group, error, now))
    _log_open(group, error, row.since, now)


def _open_values(group: str, error: CircuitOpen, now: datetime) -> dict[str, Any]:
    assert error.position is not None  # noqa: S101  a batch that only waits opens nothing
    return {
        "consumer_group": group,
        "now": now,
        "cause": error.cause,
        "topic": error.position.topic,
        "partition": error.position.partition,
        "offset": error.position.offset,
    }


def _log_open(group: str, error: CircuitOpen, since: datetime, now: datetime) -> None:
    """Log an error when the circuit breaker opens, a warning while it is open."""
    write = log.error if since == now else log.warning
    write("stopped", group=group, cause=error.cause, since=since.isoformat())


async def get_state(connection: AsyncConnection, group: str) -> CircuitState:
    """Return the state of a group's circuit breaker."""
    rows = await connection.execute(statements.GET_STATE, {"consumer_group": group})
    row = rows.first()
    return _to_state(row) if row is not None else CircuitState(None, None, None)


async def resume(
    unit: SqlUnit,
    group: str,
    caller: Caller,
    failures: int = 0,
    period: timedelta | None = None,
) -> CircuitState:
    """Close the circuit breaker and clear its window; return the state before.

    This many further failures, or all within the period, are parked and become dead letters as
    usual, however many they are. Raises `CircuitNotOpen` when it is closed and no failures to
    accept are given.
    """
    row = await _lock_group(unit, group)
    if row.since is None and not failures and period is None:
        raise CircuitNotOpen(group=group)
    until = unit.now + period if period is not None else None
    await unit.connection.execute(
        statements.RESUME,
        {"consumer_group": group, "failures": failures, "until": until, "now": unit.now},
    )
    await unit.connection.execute(
        statements.MAKE_PARKED_DUE, {"consumer_group": group, "now": unit.now}
    )
    until_text = until.isoformat() if until else ""
    unit.audit(
        caller,
        "consumer.resumed",
        NO_SUBJECT,
        group=group,
        cause=(row.cause or "")[:1000],
        accept_failures=failures,
        accept_until=until_text,
    )
    log.info("resumed", group=group, accept_failures=failures, accept_until=until_text)
    return _to_state(row)


async def _lock_group(unit: SqlUnit, group: str) -> sa.Row[Any]:
    """Insert the group's row if it is missing, and lock it until the commit."""
    await unit.connection.execute(statements.INSERT_GROUP, {"consumer_group": group})
    return (await unit.connection.execute(statements.LOCK_GROUP, {"consumer_group": group})).one()


def _to_state(row: sa.Row[Any]) -> CircuitState:
    position = str(LogPosition(row.topic, row.partition, row.offset)) if row.topic else None
    return CircuitState(row.since, row.cause, position, row.accept_failures, row.accept_until)


def _has_counted(row: sa.Row[Any], retry: FailedRetry) -> bool:
    """Return whether this event has counted since the circuit breaker last closed.

    An operator who accepts failures knows the events that are already parked: they count as
    counted, and use up none of the accepted failures.
    """
    if retry.counted is None:
        return False
    return row.lifted is None or retry.counted >= row.lifted or row.accept_failures > 0


def _is_accepted(row: sa.Row[Any], failed: int, now: datetime) -> bool:
    """Return whether an operator accepted this many failures."""
    until = row.accept_until
    return failed > 0 and (failed <= row.accept_failures or (until is not None and now < until))


def _contains_opening_record(outcome: BatchOutcome, row: sa.Row[Any]) -> bool:
    """Return whether the batch contains the record that opened the circuit breaker."""
    move = outcome.moves.get(Partition(row.topic, row.partition))
    return move is not None and move.expected <= row.offset < move.next


def _failed_batch(outcome: BatchOutcome, applied: int, now: datetime) -> FailedBatch:
    causes = Counter(parked.failure.pattern for parked in outcome.failures if parked.failure)
    return FailedBatch(now, 0, applied, dict(causes))


def _circuit_open(batches: Sequence[FailedBatch], outcome: BatchOutcome) -> CircuitOpen:
    first = outcome.failures[0].record
    position = LogPosition(first.partition.topic, first.partition.number, first.offset)
    return CircuitOpen(describe_failures(batches), position)


def _recent_window(
    row: sa.Row[Any], threshold: FailureThreshold, latest: FailedBatch
) -> list[FailedBatch]:
    stored = msgspec.json.decode(row.recent, type=list[FailedBatch])
    return keep_recent(stored, threshold, latest, max(int(row.applied_now) - row.applied, 0))


async def _close(
    unit: SqlUnit,
    group: str,
    row: sa.Row[Any],
    window: Sequence[FailedBatch],
    applied: int,
    used: int,
) -> None:
    """Write the closed state and the window; deduct the used failures from the accepted ones."""
    if row.since is not None:
        log.info("goes on", group=group, stopped_since=row.since.isoformat())
    in_period = row.accept_until is not None and unit.now < row.accept_until
    remaining = row.accept_failures if in_period else max(row.accept_failures - used, 0)
    values = {
        "recent": msgspec.json.encode(window).decode(),
        "applied": int(row.applied_now) + applied,
        "accept_failures": remaining,
        "lifted": unit.now if row.since is not None else row.lifted,
    }
    await unit.connection.execute(statements.CLOSE_AND_COUNT, {"consumer_group": group, **values})
