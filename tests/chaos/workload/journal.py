"""Journal of operations: one JSON line for each request, written when it ends."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

PROBLEM_TYPE = "application/problem+json"
SECRET_FIELDS = ("password", "invitation", "access_token", "refresh_token")
"""What a journal, which is kept and shown, must not hold."""
Json = Any


class Outcome(StrEnum):
    """What the asker knows of an operation when it ends."""

    OK = "ok"
    """It happened: 2xx."""
    FAILED = "failed"
    """It was refused, and nothing happened: 4xx with a problem document."""
    MAYBE = "maybe"
    """It may have happened: 5xx, a time-out, a lost connection, an answer that is none of ours."""


class Operation(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A finished request; `n` numbers a run's requests by start, lines are ordered by end.

    Two lines of the same `member` and `idempotency_key` are one request and its retry.
    """

    n: int
    run: str
    begun: datetime
    ended: datetime
    member: str | None
    """Who asked: the member's id; None for who is not signed in."""
    service: str
    verb: str
    """What is done, as a word: `publish`, `flag`, `decide`, …; `wrong_…` asks to be refused."""
    method: str
    path: str
    """From the service's name on: `/community/v1/spaces`, with its query."""
    outcome: Outcome
    tenant: str | None = None
    body: Json = None
    idempotency_key: str | None = None
    status: int | None = None
    """None when no answer came."""
    answer: Json = None
    """The answer's JSON; of a failure its problem document; of a lost connection, why."""
    expected: int | None = None
    """The status that a deliberately wrong operation must get."""
    replayed: bool = False
    """Whether the answer is one that was kept for this idempotency key."""


class Journal:
    """An append-only file of operations.

    `run` names the run; it stands in every line, in the names of what is opened, and in the
    idempotency keys: another run on the same data needs another name, or it is answered with the
    answers of the first.
    """

    def __init__(self, path: Path, run: str) -> None:
        self.path, self.run = path, run
        self._numbers = count(1)
        self._file = path.open("ab", buffering=0)
        self._encoder = msgspec.json.Encoder()

    def next_number(self) -> int:
        """Return the next operation its number."""
        return next(self._numbers)

    def write(self, operation: Operation) -> None:
        """Add a line: one `write`, so that a reader never meets half of one."""
        line = self._encoder.encode(operation)
        if b"\n" in line:  # an answer that came over several lines
            line = msgspec.json.encode(msgspec.json.decode(line))
        self._file.write(line + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_journal(path: Path) -> Iterator[Operation]:
    """Read a journal, in the order in which the operations ended."""
    decoder = msgspec.json.Decoder(Operation)
    with path.open("rb") as lines:
        for line in lines:
            yield decoder.decode(line)


def outcome_of(status: int | None, content_type: str) -> Outcome:
    """Return what an answer, or that there was none, means."""
    if status is None:
        return Outcome.MAYBE
    if 200 <= status < 300:
        return Outcome.OK
    if 400 <= status < 500 and content_type.partition(";")[0].strip() == PROBLEM_TYPE:
        return Outcome.FAILED
    return Outcome.MAYBE


def redact(body: Mapping[str, object]) -> dict[str, object]:
    """Return a body or an answer without its secrets."""
    return {name: "…" if name in SECRET_FIELDS else value for name, value in body.items()}
