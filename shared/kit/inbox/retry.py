"""Retries parked events: the oldest of each key first, then the events blocked behind it.

Failed retries can open the circuit breaker too: after a replay of many events, or when it was
closed too early. While it is open, events are still retried, which shows when a faulty
deployment is repaired, but no attempt is counted and no event becomes a dead letter.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from shared.kit.core.errors import Invalid
from shared.kit.core.failpoints import hit_failpoint
from shared.kit.database.database import SqlUnit, is_transient
from shared.kit.inbox import circuit_breaker, parked
from shared.kit.inbox.consumer import BatchConsumer
from shared.kit.inbox.decode import Decoded, DecodedRecord, decode_record
from shared.kit.inbox.due_keys import list_due_keys, make_first_due, make_forgotten_due
from shared.kit.inbox.parked import Failure, LogPosition
from shared.kit.inbox.preparation import Preparation, record_offset
from shared.kit.inbox.retry_limits import GivenUp, is_caused_by_own_slowness
from shared.kit.inbox.thresholds import FailedRetry, RetryVerdict
from shared.kit.telemetry.logs import get_logger

log = get_logger("parked")
MAX_KEYS_PER_ROUND = 200
MAX_RUN_DURATION = timedelta(seconds=20)
"""No event is tried later than this after the first: the job's lease is a minute."""

_GET_FIRST = sa.text("""
    SELECT * FROM parked
    WHERE consumer_group = :consumer_group AND key = :key AND state IN ('parked', 'dead')
    ORDER BY topic, "offset" LIMIT 1
""")
_LOCK_FIRST = sa.text("""
    SELECT * FROM parked
    WHERE consumer_group = :consumer_group AND key = :key AND state IN ('parked', 'dead')
    ORDER BY topic, "offset" LIMIT 1 FOR UPDATE
""")
_DELETE_APPLIED = sa.text("""
    WITH gone AS (
        DELETE FROM parked WHERE consumer_group = :consumer_group AND topic = :topic
          AND partition = :partition AND "offset" = :offset RETURNING 1
    )
    UPDATE positions SET applied = applied + (SELECT count(*) FROM gone)
    WHERE consumer_group = :consumer_group AND topic = :topic AND partition = :partition
""")
_RECORD_FAILURE = sa.text("""
    UPDATE parked SET attempts = :attempts, tries = 0, next_try = :next_try, state = :state,
                      counted = COALESCE(:counted, counted),
                      cause = :cause, pattern = :pattern, stack = :stack
    WHERE consumer_group = :consumer_group AND topic = :topic
      AND partition = :partition AND "offset" = :offset
""")
_POSTPONE = sa.text("""
    UPDATE parked SET tries = 0, next_try = :next_try
    WHERE consumer_group = :consumer_group AND topic = :topic
      AND partition = :partition AND "offset" = :offset
""")
_COUNT_ATTEMPT = sa.text("""
    UPDATE parked SET tries = tries + 1, next_try = :next_try
    WHERE consumer_group = :consumer_group AND topic = :topic
      AND partition = :partition AND "offset" = :offset AND state = 'parked'
      AND (next_try IS NULL OR next_try <= :now)
    RETURNING tries
""")


@dataclass(frozen=True)
class ParkedEventRetrier:
    """Retries the parked events of one consumer's group."""

    consumer: BatchConsumer

    async def retry_due(self) -> int:
        """Retry every due key, one event after the other; return how many events were applied."""
        consumer = self.consumer
        applied, tried = 0, set[str]()
        deadline = consumer.clock() + MAX_RUN_DURATION
        more = True
        while more and consumer.clock() <= deadline:
            keys = await list_due_keys(
                consumer.database, consumer.group, consumer.clock(), tried, MAX_KEYS_PER_ROUND
            )
            more = bool(keys)
            for key in keys:
                tried.add(key)
                while await self._retry_first(key):
                    applied += 1
                    if consumer.clock() > deadline:
                        return applied
        return applied

    async def make_forgotten_due(self) -> None:
        """Make blocked events due that no retry would find; see `due_keys`."""
        consumer = self.consumer
        await make_forgotten_due(consumer.database, consumer.group, consumer.clock())

    async def _retry_first(self, key: str) -> bool:
        """Try the first event of a key; True when it was applied and there may be more."""
        consumer = self.consumer
        rows = await consumer.database.execute_once(
            _GET_FIRST, consumer_group=consumer.group, key=key
        )
        if not rows or rows[0].state == "dead" or not self._is_due(rows[0].next_try):
            return False
        first = rows[0]
        item = decode_record(parked.to_record(first), consumer.decoders, consumer.clock())
        tries = await self._count_attempt(first)
        if tries is None:
            return False
        started_at = time.thread_time()
        try:
            preparation = await self._prepare(item, tries)
            return await self._apply(first, item, preparation)
        except Exception as error:
            if not is_transient(error):
                raise
            processor_seconds = time.thread_time() - started_at
            await self._handle_transient(first, item, error, processor_seconds)
            return False

    async def _count_attempt(self, first: sa.Row[Any]) -> int | None:
        """Count an attempt before it starts, so that one that ends the process counts.

        Returns how many have started since the last one that ended; None when another process
        tries the event now. Until the attempt ends, the event is not due, so a restarted process
        does not begin with it.
        """
        consumer = self.consumer
        now = consumer.clock()
        attempts = first.attempts + first.tries + 1
        next_try = parked.next_attempt_at(consumer.retry_policy, attempts, now)
        async with consumer.database.unit_for(()) as unit:
            values = self._values(first) | {"next_try": next_try, "now": now}
            tries = await unit.connection.scalar(_COUNT_ATTEMPT, values)
        return None if tries is None else int(tries)

    async def _prepare(self, item: DecodedRecord, tries: int) -> Preparation:
        consumer = self.consumer
        if not isinstance(item, Decoded):
            return Preparation()
        if tries > consumer.retry_limits.max_attempts:
            error = GivenUp(f"tried {tries - 1} times, and no attempt was committed")
            return Preparation(failures={record_offset(item.delivery): error})
        return await consumer.preparer.prepare_one(consumer.reactions, item.delivery)

    async def _apply(
        self, first: sa.Row[Any], item: DecodedRecord, preparation: Preparation
    ) -> bool:
        """Apply the event in one transaction; True when it was applied."""
        consumer = self.consumer
        async with consumer.database.unit_for([first.tenant_id]) as unit:
            row = await self._lock_first(unit, first)
            if row is None:
                return False
            if not isinstance(item, Decoded):
                failure = Failure("no longer readable by this version")
                await self._record_failure(unit, row, failure, item)
                return False
            error = await consumer.make_attempt(preparation).apply_in_savepoint(unit, item.delivery)
            if error is not None:
                failure = Failure.from_exception(error)
                permanent = isinstance(error, Invalid)
                await self._record_failure(unit, row, failure, item, permanent=permanent)
                return False
            await unit.connection.execute(_DELETE_APPLIED, self._values(row))
            # `retry_due` tries the next event at once; if this process ends, another one does.
            await make_first_due(unit, consumer.group, [first.key])
            await circuit_breaker.close_if_recovered(unit, consumer.group, position_of(row))
            hit_failpoint("parked.reacted")
        hit_failpoint("parked.committed")
        log.info("applied after waiting", group=consumer.group, type=row.type)
        return True

    async def _lock_first(self, unit: SqlUnit, first: sa.Row[Any]) -> sa.Row[Any] | None:
        """Lock the first event of a key; None unless it is still this one and parked."""
        values = {"consumer_group": self.consumer.group, "key": first.key}
        row = (await unit.connection.execute(_LOCK_FIRST, values)).first()
        if row is None or row.state != "parked" or position_of(row) != position_of(first):
            return None
        return row

    async def _handle_transient(
        self, first: sa.Row[Any], item: DecodedRecord, error: Exception, processor_seconds: float
    ) -> None:
        """Leave the event for a later retry; count the failure if our own code was slow.

        Raises when the database is not available: then the other keys wait too.
        """
        consumer = self.consumer
        slow = is_caused_by_own_slowness(error, processor_seconds, consumer.retry_limits)
        log.warning("tried in vain", group=consumer.group, error=str(error), slow=slow)
        async with consumer.database.unit_for([first.tenant_id]) as unit:
            row = await self._lock_first(unit, first)
            if slow and row is not None:
                cause = f"too slow: {processor_seconds:.1f} s of processor time, then {error}"
                failure = Failure.from_exception(GivenUp(cause))
                await self._record_failure(unit, row, failure, item)

    async def _record_failure(
        self,
        unit: SqlUnit,
        row: sa.Row[Any],
        failure: Failure,
        item: DecodedRecord,
        *,
        permanent: bool = False,
    ) -> None:
        """Count a failed attempt; after the last one the event becomes one of the dead letters.

        While the circuit breaker is open, only postpone the event.
        """
        consumer = self.consumer
        last_counted = row.counted if row.attempts else None
        retry = FailedRetry(position_of(row), failure.pattern, last_counted)
        verdict = await circuit_breaker.check_retry(
            unit, consumer.group, consumer.failure_threshold, retry
        )
        if verdict is RetryVerdict.CIRCUIT_OPEN:
            next_try = unit.now + timedelta(seconds=circuit_breaker.RETRY_INTERVAL_SECONDS)
            await unit.connection.execute(_POSTPONE, self._values(row) | {"next_try": next_try})
            return
        attempts, policy = row.attempts + 1, consumer.retry_policy
        dead = permanent or attempts >= policy.max_attempts
        values = {
            "attempts": attempts,
            "next_try": None if dead else parked.next_attempt_at(policy, attempts, unit.now),
            "state": "dead" if dead else "parked",
            "cause": failure.cause,
            "pattern": failure.pattern,
            "stack": failure.stack,
            "counted": unit.now if verdict is RetryVerdict.COUNTED else None,
        }
        await unit.connection.execute(_RECORD_FAILURE, self._values(row) | values)
        if dead:
            delivery = item.delivery if isinstance(item, Decoded) else None
            record = parked.to_record(row)
            parked.publish_dead_letter(unit, consumer.group, record, delivery, failure, attempts)

    def _is_due(self, next_try: datetime | None) -> bool:
        """Return whether an event may be tried; one without `next_try` was blocked until now."""
        return next_try is None or next_try <= self.consumer.clock()

    def _values(self, row: sa.Row[Any]) -> dict[str, object]:
        return {
            "consumer_group": self.consumer.group,
            "topic": row.topic,
            "partition": row.partition,
            "offset": row.offset,
        }


def position_of(row: sa.Row[Any]) -> LogPosition:
    """Return the log position of a row of the table `parked`."""
    return LogPosition(row.topic, row.partition, row.offset)
