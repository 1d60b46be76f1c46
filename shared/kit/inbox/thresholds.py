"""How much may fail before a group stops, and the latest failures, by which it is judged."""

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
    """How much may fail: up to `failures`, or up to half of what was tried.

    Counted over one batch, and over the latest batches in which anything failed: the last
    `outcomes` events since the first failure among them, within `period`. Each event counts once,
    however often it is tried again.
    """

    max_failures: int = 20
    max_outcomes: int = 200
    period: timedelta = timedelta(hours=1)

    def is_exceeded(self, failed: int, tried: int) -> bool:
        """Return whether this is too much."""
        return failed > self.max_failures and failed * 2 > tried


class FailedBatch(msgspec.Struct, frozen=True):
    """A batch in which something failed: when, why, what else was applied in it.

    `between` counts what was applied since the one before, in batches in which all went well.
    """

    at: datetime
    between: int
    applied: int
    causes: dict[str, int]

    @property
    def failed(self) -> int:
        """How many failed."""
        return sum(self.causes.values())

    @property
    def tried(self) -> int:
        """All outcomes, those in between too."""
        return self.failed + self.applied + self.between


@dataclass(frozen=True, slots=True)
class FailedRetry:
    """A parked event that failed again: where it stands, why, and when it last counted.

    `counted` is None for one that has not failed before: it waited, or an operator replays it.
    """

    position: LogPosition
    pattern: str
    counted: datetime | None


class RetryVerdict(Enum):
    """What a failed retry means for the group."""

    COUNTED = "counted"
    ALREADY_COUNTED = "known"
    """It failed before, or may fail: it does not count again."""
    CIRCUIT_OPEN = "stopped"


def keep_recent(
    kept: Sequence[FailedBatch], limit: FailureThreshold, latest: FailedBatch, between: int
) -> list[FailedBatch]:
    """Return what is still recent, the latest included; `between` was applied before it."""
    found = [each for each in kept if each.at > latest.at - limit.period]
    found.append(structs.replace(latest, between=between if found else 0))
    while len(found) > 1 and sum(each.tried for each in found[1:]) >= limit.max_outcomes:
        found.pop(0)
    room = limit.max_outcomes - sum(each.tried for each in found) + found[0].between
    found[0] = structs.replace(found[0], between=max(min(found[0].between, room), 0))
    return found


def count_failed_and_tried(entries: Sequence[FailedBatch]) -> tuple[int, int]:
    """Count the failed and the tried."""
    return sum(entry.failed for entry in entries), sum(entry.tried for entry in entries)


def describe_failures(entries: Sequence[FailedBatch]) -> str:
    """Return how many of how many failed, and of what."""
    failed, tried = count_failed_and_tried(entries)
    causes = sum((Counter(entry.causes) for entry in entries), Counter[str]())
    return f"{failed} of {tried} events failed: {format_counts(causes)}"
