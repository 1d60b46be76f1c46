"""The failure threshold of a consumer group, and the window of recent failures it is applied to."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

import msgspec
from msgspec import structs

from shared.kit.inbox.error_patterns import format_counts
from shared.kit.inbox.parked import LogPosition


@dataclass(frozen=True, slots=True)
class FailureThreshold:
    """Exceeded by more than `max_failures` failures that are more than half of the outcomes.

    Checked for one batch, and for a window over the latest batches with failures: the last
    `max_outcomes` events since the first failure in the window, within `period`. Each event counts
    once, however often it is retried.
    """

    max_failures: int = 20
    max_outcomes: int = 200
    period: timedelta = timedelta(hours=1)

    def is_exceeded(self, failed: int, tried: int) -> bool:
        """Return whether the group's circuit breaker must open."""
        return failed > self.max_failures and failed * 2 > tried


class FailedBatch(msgspec.Struct, frozen=True):
    """A batch with failures: its time, the causes, and how many of its events were applied.

    `between` counts the events applied since the previous one, in batches without failures.
    Stored as JSON in `halts.recent`.
    """

    at: datetime
    between: int
    applied: int
    causes: dict[str, int]

    @property
    def failed(self) -> int:
        """The number of failed events."""
        return sum(self.causes.values())

    @property
    def tried(self) -> int:
        """All outcomes, including `between`."""
        return self.failed + self.applied + self.between


@dataclass(frozen=True, slots=True)
class FailedRetry:
    """A parked event that failed again: its position, its error pattern, when it last counted.

    `counted` is None for an event that has not failed before: it was blocked, or is replayed.
    """

    position: LogPosition
    pattern: str
    counted: datetime | None


class RetryVerdict(Enum):
    """The effect of a failed retry on the circuit breaker."""

    COUNTED = "counted"
    ALREADY_COUNTED = "known"
    """It failed before, or an operator accepts it: it does not count again."""
    CIRCUIT_OPEN = "stopped"


def keep_recent(
    batches: Sequence[FailedBatch], threshold: FailureThreshold, latest: FailedBatch, between: int
) -> list[FailedBatch]:
    """Return the batches in the window, including the latest; `between` were applied before it."""
    window = [batch for batch in batches if batch.at > latest.at - threshold.period]
    window.append(structs.replace(latest, between=between if window else 0))
    while len(window) > 1 and sum(batch.tried for batch in window[1:]) >= threshold.max_outcomes:
        window.pop(0)
    free = threshold.max_outcomes - sum(batch.tried for batch in window) + window[0].between
    window[0] = structs.replace(window[0], between=max(min(window[0].between, free), 0))
    return window


def count_failed_and_tried(batches: Sequence[FailedBatch]) -> tuple[int, int]:
    """Return the number of failed events and of all outcomes."""
    return sum(batch.failed for batch in batches), sum(batch.tried for batch in batches)


def describe_failures(batches: Sequence[FailedBatch]) -> str:
    """Return how many of how many events failed, and the most frequent causes."""
    failed, tried = count_failed_and_tried(batches)
    causes = sum((Counter(batch.causes) for batch in batches), Counter[str]())
    return f"{failed} of {tried} events failed: {format_counts(causes)}"
