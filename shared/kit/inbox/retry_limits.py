"""How long a group is patient with an event that fails by what may pass.

A lost connection makes the whole batch wait, and an outage of hours parks nothing. But an event
that fails so each time that it is alone, with the database there, or that makes us too slow for the
database, is parked like any other failure: else it would be tried for ever, and all behind it wait.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.kit.core.bus import MAX_BATCH_RECORDS, Partition
from shared.kit.inbox.decode import DecodedRecord

UNLIMITED_RECORDS = 100_000
"""More than any batch holds."""
_ENDED_BY_SERVER = ("25P03", "25P04")
"""PostgreSQL ended a transaction in which we were idle for too long, or that took too long."""


@dataclass(frozen=True)
class RetryLimits:
    """When an event is given up that fails by what may pass; then it is parked."""

    max_attempts: int = 5
    """Attempts of one event alone, each begun when the database had just answered."""
    max_starts: int = 3
    """Starts of a reader in a row without any progress, after which each event is tried alone and
    each attempt is noted before it begins; 0 for never."""
    max_hold_seconds: float = 2.5
    """Processor time of ours in one attempt after which a lost transaction is our own doing."""
    slow_effect_seconds: float = 1.0
    """An effect that takes longer in the transaction is told in the log and in a metric."""


class GivenUp(Exception):
    """An event was tried alone again and again, and no attempt came to an end."""


def is_caused_by_own_slowness(
    error: BaseException, processor_seconds: float, patience: RetryLimits
) -> bool:
    """Return whether an attempt failed because we were slow ourselves, and not the database.

    Trap: a connection that the server ended while nobody listened tells only that it is closed, so
    our processor time is the sign. A database that froze uses none of it.
    """
    if processor_seconds >= patience.max_hold_seconds:
        return True
    return any(_state_of(each).startswith(_ENDED_BY_SERVER) for each in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _state_of(error: BaseException) -> str:
    return str(getattr(error, "sqlstate", None) or "")


class AttemptSize:
    """How many records of a batch are tried at once, and which of them alone."""

    def __init__(self) -> None:
        self._most = UNLIMITED_RECORDS
        self._alone: dict[Partition, int] = {}

    def take_first(self, reads: Sequence[DecodedRecord]) -> Sequence[DecodedRecord]:
        """Return the first of these records, as many as may be tried at once."""
        suspects = (index for index, item in enumerate(reads) if self.is_isolated(item))
        first = next(suspects, None) if self._alone else None
        if first is None:
            return reads[: self._most]
        return reads[: min(self._most, max(first, 1))]

    def is_isolated(self, item: DecodedRecord) -> bool:
        """Return whether a record is tried alone, and its attempts are noted."""
        return item.record.offset < self._alone.get(item.record.partition, 0)

    def isolate(self, reads: Sequence[DecodedRecord]) -> None:
        """Try each of these records alone from now on."""
        self._alone |= {item.record.partition: item.record.offset + 1 for item in reads}

    def isolate_from(self, place: Partition, position: int) -> None:
        """Try each record of the next batch from this position on alone."""
        self._alone[place] = position + MAX_BATCH_RECORDS

    def forget(self, places: Sequence[Partition]) -> None:
        """Suspect nothing in partitions that another reader has now."""
        for place in places:
            self._alone.pop(place, None)

    def record_failure(self, reads: Sequence[DecodedRecord], *, slow: bool) -> None:
        """Learn that these could not be applied for now.

        Half of them are tried next; each alone when we were slow, or there is only one.
        """
        if slow or len(reads) == 1:
            self.isolate(reads)
        # Trap: a batch that takes longer than a transaction may would never be done.
        self._most = max(1, len(reads) // 2)

    def record_success(self) -> None:
        """Learn that a batch was applied."""
        self._most = min(self._most * 2, UNLIMITED_RECORDS)
