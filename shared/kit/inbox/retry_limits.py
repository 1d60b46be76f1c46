"""Limits how often a group retries an event that fails with transient errors.

A lost connection makes the whole batch wait, and an outage of hours parks nothing. But an event
that fails each time it is tried alone while the database is available, or whose processing is too
slow for the database, is parked like any other failure. Otherwise it would be retried without end,
and all events behind it would wait.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.kit.core.bus import MAX_BATCH_RECORDS, Partition
from shared.kit.inbox.decode import DecodedRecord

UNLIMITED_RECORDS = 100_000
"""Larger than any batch."""
_TIMEOUT_SQLSTATES = ("25P03", "25P04")
"""PostgreSQL ended a transaction that was idle for too long, or that took too long."""


@dataclass(frozen=True)
class RetryLimits:
    """When an event with transient failures is parked."""

    max_attempts: int = 5
    """Attempts of one event alone, each started when the database had just answered."""
    max_starts: int = 3
    """Consecutive starts of a consumer without any progress, after which each event is tried alone
    and each attempt is written down before it starts; 0 disables this."""
    max_hold_seconds: float = 2.5
    """CPU time of one attempt after which a lost transaction is attributed to our own code."""
    slow_effect_seconds: float = 1.0
    """A longer effect inside the transaction is logged and counted in a metric."""


class GivenUp(Exception):
    """An event was tried alone several times, and no attempt ended. Its name is part of causes."""


def is_caused_by_own_slowness(
    error: BaseException, processor_seconds: float, limits: RetryLimits
) -> bool:
    """Return whether an attempt failed because our code was slow, not the database.

    Trap: a connection that the server ended while our code computed only reports that it is closed,
    so our CPU time is the evidence. A database that hangs uses none of it.
    """
    if processor_seconds >= limits.max_hold_seconds:
        return True
    return any(_sqlstate(cause).startswith(_TIMEOUT_SQLSTATES) for cause in _cause_chain(error))


def _cause_chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _sqlstate(error: BaseException) -> str:
    return str(getattr(error, "sqlstate", None) or "")


class AttemptSize:
    """How many records of a batch are tried together, and which are isolated (tried alone)."""

    def __init__(self) -> None:
        self._max_records = UNLIMITED_RECORDS
        self._isolated_below: dict[Partition, int] = {}

    def take_first(self, records: Sequence[DecodedRecord]) -> Sequence[DecodedRecord]:
        """Return the first of these records, as many as may be tried together."""
        isolated = (index for index, item in enumerate(records) if self.is_isolated(item))
        first = next(isolated, None) if self._isolated_below else None
        if first is None:
            return records[: self._max_records]
        return records[: min(self._max_records, max(first, 1))]

    def is_isolated(self, item: DecodedRecord) -> bool:
        """Return whether a record is tried alone, and its attempts are written down."""
        return item.record.offset < self._isolated_below.get(item.record.partition, 0)

    def isolate(self, records: Sequence[DecodedRecord]) -> None:
        """Try each of these records alone from now on."""
        self._isolated_below |= {item.record.partition: item.record.offset + 1 for item in records}

    def isolate_from(self, partition: Partition, position: int) -> None:
        """Try each record of the next batch from this position on alone."""
        self._isolated_below[partition] = position + MAX_BATCH_RECORDS

    def forget(self, partitions: Sequence[Partition]) -> None:
        """End the isolation in partitions that another consumer owns now."""
        for partition in partitions:
            self._isolated_below.pop(partition, None)

    def record_failure(self, records: Sequence[DecodedRecord], *, slow: bool) -> None:
        """Halve the next attempt after a transient failure of these records.

        When our code was slow, or there is only one record, each is tried alone.
        """
        if slow or len(records) == 1:
            self.isolate(records)
        # Trap: a batch that takes longer than the transaction timeout would never be committed.
        self._max_records = max(1, len(records) // 2)

    def record_success(self) -> None:
        """Double the next attempt after an applied batch."""
        self._max_records = min(self._max_records * 2, UNLIMITED_RECORDS)
