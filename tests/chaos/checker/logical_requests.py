"""Logical requests: the journal's operations, with the retries of one request folded into one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.chaos.workload.journal import Operation, Outcome, read_journal

Json = Any


@dataclass
class LogicalRequest:
    """A logical request. Retried with the same idempotency key, it may take effect once.

    It is ok when one of its answers was, failed when each was a refusal, else maybe.
    """

    verb: str
    tenant: str
    member: str
    path: str
    body: Json
    begun: datetime
    ended: datetime
    outcome: Outcome
    answers: list[Json] = field(default_factory=list)
    """Those of its ok operations: they must be alike."""
    expected: int | None = None
    number: int = 0

    @property
    def answer(self) -> Json:
        """The answer that it got."""
        return self.answers[0]

    @property
    def target_id(self) -> str:
        """What the path names: the part after the collection."""
        return self.path.partition("?")[0].split("/")[4]

    @property
    def may_have_succeeded(self) -> bool:
        """Whether the request may have taken effect."""
        return self.outcome is not Outcome.FAILED

    def add(self, operation: Operation) -> None:
        """Fold a retry into the request."""
        self.ended = max(self.ended, operation.ended)
        self.begun = min(self.begun, operation.begun)
        if operation.outcome is Outcome.OK:
            self.answers.append(operation.answer)
            self.outcome = Outcome.OK
        elif operation.outcome is Outcome.MAYBE and self.outcome is Outcome.FAILED:
            self.outcome = Outcome.MAYBE


def read_logical_requests(path: Path) -> list[LogicalRequest]:
    """Fold a journal into logical requests, in the order of their first attempt."""
    requests: dict[tuple[str, str] | int, LogicalRequest] = {}
    for operation in read_journal(path):
        key = (
            (operation.member or "", operation.idempotency_key)
            if operation.idempotency_key
            else operation.n
        )
        if key in requests:
            requests[key].add(operation)
        else:
            requests[key] = _from_operation(operation)
    return sorted(requests.values(), key=lambda request: (request.begun, request.number))


def _from_operation(operation: Operation) -> LogicalRequest:
    return LogicalRequest(
        verb=operation.verb,
        tenant=operation.tenant or "",
        member=operation.member or "",
        path=operation.path,
        body=operation.body,
        begun=operation.begun,
        ended=operation.ended,
        outcome=operation.outcome,
        answers=[operation.answer] if operation.outcome is Outcome.OK else [],
        expected=operation.expected,
        number=operation.n,
    )


def with_verb(requests: Iterable[LogicalRequest], *verbs: str) -> Iterator[LogicalRequest]:
    """Those of some verbs."""
    return (request for request in requests if request.verb in verbs)
