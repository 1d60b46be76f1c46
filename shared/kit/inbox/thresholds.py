"""How much may fail before a group stops, and the latest failures, by which it is judged."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

import msgspec
from msgspec import structs

from shared.kit.inbox.causes import told
from shared.kit.inbox.parked import Place


@dataclass(frozen=True, slots=True)
class Limit:
    """How much may fail: up to `failures`, or up to half of what was tried.

    Counted over one batch, and over the latest batches in which anything failed: the last
    `outcomes` events since the first failure among them, within `period`. Each event counts once,
    however often it is tried again.
    """

    failures: int = 20
    outcomes: int = 200
    period: timedelta = timedelta(hours=1)

    def passed(self, failed: int, tried: int) -> bool:
        """Tell whether this is too much."""
        return failed > self.failures and failed * 2 > tried


class Failed(msgspec.Struct, frozen=True):
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
class Retried:
    """A parked event that failed again: where it stands, why, and when it last counted.

    `counted` is None for one that has not failed before: it waited, or an operator replays it.
    """

    place: Place
    pattern: str
    counted: datetime | None


class Verdict(Enum):
    """What a failed retry means for the group."""

    COUNTED = "counted"
    KNOWN = "known"
    """It failed before, or may fail: it does not count again."""
    STOPPED = "stopped"


def recent(kept: Sequence[Failed], limit: Limit, latest: Failed, between: int) -> list[Failed]:
    """Give what is still recent, the latest included; `between` was applied before it."""
    found = [each for each in kept if each.at > latest.at - limit.period]
    found.append(structs.replace(latest, between=between if found else 0))
    while len(found) > 1 and sum(each.tried for each in found[1:]) >= limit.outcomes:
        found.pop(0)
    room = limit.outcomes - sum(each.tried for each in found) + found[0].between
    found[0] = structs.replace(found[0], between=max(min(found[0].between, room), 0))
    return found


def sums(entries: Sequence[Failed]) -> tuple[int, int]:
    """Count the failed and the tried."""
    return sum(entry.failed for entry in entries), sum(entry.tried for entry in entries)


def cause_of(entries: Sequence[Failed]) -> str:
    """Say how many of how many failed, and of what."""
    failed, tried = sums(entries)
    causes = sum((Counter(entry.causes) for entry in entries), Counter[str]())
    return f"{failed} of {tried} events failed: {told(causes)}"
