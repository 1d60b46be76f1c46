"""Try parked events again, the oldest of each key first, then what waits behind it.

Their failures can stop the group too: a replay of many, or a halt that was lifted too early. While
it is stopped they are tried all the same, which shows that a bad deploy is mended, but no attempt
is counted and none of them dies.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from shared.kit.core.errors import Invalid
from shared.kit.core.failpoints import hit_failpoint
from shared.kit.database.database import SqlUnit, is_transient
from shared.kit.inbox import circuit_breaker as halts
from shared.kit.inbox import parked
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
"""No event is begun later than this after the first: the job's lease is a minute."""

_HEAD = sa.text("""
    SELECT * FROM parked
    WHERE consumer_group = :consumer_group AND key = :key AND state IN ('parked', 'dead')
    ORDER BY topic, "offset" LIMIT 1
""")
_OLDEST = sa.text("""
    SELECT * FROM parked
    WHERE consumer_group = :consumer_group AND key = :key AND state IN ('parked', 'dead')
    ORDER BY topic, "offset" LIMIT 1 FOR UPDATE
""")
_DONE = sa.text("""
    WITH gone AS (
        DELETE FROM parked WHERE consumer_group = :consumer_group AND topic = :topic
          AND partition = :partition AND "offset" = :offset RETURNING 1
    )
    UPDATE positions SET applied = applied + (SELECT count(*) FROM gone)
    WHERE consumer_group = :consumer_group AND topic = :topic AND partition = :partition
""")
_FAILED = sa.text("""
    UPDATE parked SET attempts = :attempts, tries = 0, next_try = :next_try, state = :state,
                      counted = COALESCE(:counted, counted),
                      cause = :cause, pattern = :pattern, stack = :stack
    WHERE consumer_group = :consumer_group AND topic = :topic
      AND partition = :partition AND "offset" = :offset
""")
_AGAIN = sa.text("""
    UPDATE parked SET tries = 0, next_try = :next_try
    WHERE consumer_group = :consumer_group AND topic = :topic
      AND partition = :partition AND "offset" = :offset
""")
_BEGIN = sa.text("""
    UPDATE parked SET tries = tries + 1, next_try = :next_try
    WHERE consumer_group = :consumer_group AND topic = :topic
      AND partition = :partition AND "offset" = :offset AND state = 'parked'
      AND (next_try IS NULL OR next_try <= :now)
    RETURNING tries
""")


@dataclass(frozen=True)
class ParkedEventRetrier:
    """The parked events of one group."""

    consumer: BatchConsumer

    async def retry_due(self) -> int:
        """Try every key that is due, one event after the other; say how many were applied."""
        consumer = self.consumer
        applied, tried = 0, set[str]()
        until = consumer.clock() + MAX_RUN_DURATION
        more = True
        while more and consumer.clock() <= until:
            keys = await list_due_keys(
                consumer.database, consumer.group, consumer.clock(), tried, MAX_KEYS_PER_ROUND
            )
            more = bool(keys)
            for key in keys:
                tried.add(key)
                while await self._retry_oldest(key):
                    applied += 1
                    if consumer.clock() > until:
                        return applied
        return applied

    async def make_forgotten_due(self) -> None:
        """Find keys that nobody would try any more; see `due`."""
        consumer = self.consumer
        await make_forgotten_due(consumer.database, consumer.group, consumer.clock())

    async def _retry_oldest(self, key: str) -> bool:
        """Try the oldest event of a key; True when it was applied and there may be more."""
        consumer = self.consumer
        rows = await consumer.database.execute_once(_HEAD, consumer_group=consumer.group, key=key)
        if not rows or rows[0].state == "dead" or not self._is_due(rows[0].next_try):
            return False
        head = rows[0]
        item = decode_record(parked.to_record(head), consumer.decoders, consumer.clock())
        tries = await self._begin(head)
        if tries is None:
            return False
        began = time.thread_time()
        try:
            preparation = await self._prepare(item, tries)
            return await self._apply(head, item, preparation)
        except Exception as error:
            if not is_transient(error):
                raise
            await self._failed_for_now(head, item, error, time.thread_time() - began)
            return False

    async def _begin(self, head: sa.Row[Any]) -> int | None:
        """Note an attempt before it begins, so that one that ends the process counts.

        Says how many began since the last one that came to an end; None when it is another's now.
        Until then it is due no more: a process that starts again does not begin with it.
        """
        consumer = self.consumer
        now = consumer.clock()
        again = parked.next_attempt_at(consumer.retry_policy, head.attempts + head.tries + 1, now)
        async with consumer.database.unit_for(()) as unit:
            values = self._values(head) | {"next_try": again, "now": now}
            tries = await unit.connection.scalar(_BEGIN, values)
        return None if tries is None else int(tries)

    async def _prepare(self, item: DecodedRecord, tries: int) -> Preparation:
        consumer = self.consumer
        if not isinstance(item, Decoded):
            return Preparation()
        if tries > consumer.retry_limits.max_attempts:
            error = GivenUp(f"tried {tries - 1} times, and no attempt came to an end")
            return Preparation(failures={record_offset(item.delivery): error})
        return await consumer.preparer.prepare_one(consumer.reactions, item.delivery)

    async def _apply(
        self, head: sa.Row[Any], item: DecodedRecord, preparation: Preparation
    ) -> bool:
        """Apply it in one transaction; True when it was applied."""
        consumer = self.consumer
        async with consumer.database.unit_for([head.tenant_id]) as unit:
            row = await self._lock_oldest(unit, head)
            if row is None:
                return False
            if not isinstance(item, Decoded):
                await self._failed(unit, row, Failure("no longer readable by this version"), item)
                return False
            error = await consumer.make_attempt(preparation).apply_in_savepoint(unit, item.delivery)
            if error is not None:
                hopeless = isinstance(error, Invalid)
                await self._failed(
                    unit, row, Failure.from_exception(error), item, hopeless=hopeless
                )
                return False
            await unit.connection.execute(_DONE, self._values(row))
            # Tried at once below; should this process die before, by another.
            await make_first_due(unit, consumer.group, [head.key])
            await halts.close_if_recovered(unit, consumer.group, position_of(row))
            hit_failpoint("parked.reacted")
        hit_failpoint("parked.committed")
        log.info("applied after waiting", group=consumer.group, type=row.type)
        return True

    async def _lock_oldest(self, unit: SqlUnit, head: sa.Row[Any]) -> sa.Row[Any] | None:
        """Lock the oldest event of a key, if it is still this one and parked."""
        values = {"consumer_group": self.consumer.group, "key": head.key}
        row = (await unit.connection.execute(_OLDEST, values)).first()
        if row is None or row.state != "parked" or position_of(row) != position_of(head):
            return None
        return row

    async def _failed_for_now(
        self, head: sa.Row[Any], item: DecodedRecord, error: Exception, processor_seconds: float
    ) -> None:
        """Leave it for later when it failed by what may pass, and count it when we were slow.

        Raises when the database is away: then the other keys wait too.
        """
        consumer = self.consumer
        slow = is_caused_by_own_slowness(error, processor_seconds, consumer.retry_limits)
        log.warning("tried in vain", group=consumer.group, error=str(error), slow=slow)
        async with consumer.database.unit_for([head.tenant_id]) as unit:
            row = await self._lock_oldest(unit, head)
            if slow and row is not None:
                said = f"too slow: {processor_seconds:.1f} s of processor time, then {error}"
                await self._failed(unit, row, Failure.from_exception(GivenUp(said)), item)

    async def _failed(
        self,
        unit: SqlUnit,
        row: sa.Row[Any],
        failure: Failure,
        item: object,
        *,
        hopeless: bool = False,
    ) -> None:
        counted = row.counted if row.attempts else None
        again = FailedRetry(position_of(row), failure.pattern, counted)
        consumer = self.consumer
        verdict = await halts.check_retry(unit, consumer.group, consumer.failure_threshold, again)
        if verdict is RetryVerdict.CIRCUIT_OPEN:
            pause = {"next_try": unit.now + timedelta(seconds=halts.RETRY_INTERVAL_SECONDS)}
            await unit.connection.execute(_AGAIN, self._values(row) | pause)
            return
        attempts = row.attempts + 1
        dead = hopeless or attempts >= self.consumer.retry_policy.max_attempts
        due = (
            None if dead else parked.next_attempt_at(self.consumer.retry_policy, attempts, unit.now)
        )
        values = {
            "attempts": attempts,
            "next_try": due,
            "state": "dead" if dead else "parked",
            "cause": failure.cause,
            "pattern": failure.pattern,
            "stack": failure.stack,
            "counted": unit.now if verdict is RetryVerdict.COUNTED else None,
        }
        await unit.connection.execute(_FAILED, self._values(row) | values)
        if dead:
            delivery = item.delivery if isinstance(item, Decoded) else None
            record = parked.to_record(row)
            parked.publish_dead_letter(
                unit, self.consumer.group, record, delivery, failure, attempts
            )

    def _is_due(self, next_try: datetime | None) -> bool:
        """Say so too of the one that waited behind what was applied a moment ago."""
        return next_try is None or next_try <= self.consumer.clock()

    def _values(self, row: sa.Row[Any]) -> dict[str, object]:
        return {
            "consumer_group": self.consumer.group,
            "topic": row.topic,
            "partition": row.partition,
            "offset": row.offset,
        }


def position_of(row: sa.Row[Any]) -> LogPosition:
    """Return where in the log a parked event stands."""
    return LogPosition(row.topic, row.partition, row.offset)
