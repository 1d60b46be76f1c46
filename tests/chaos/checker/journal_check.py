"""I1: an accepted request has its effect, a rejected one has none, an uncertain one at most one.

The `effects_*` modules check one kind of object each. They get the logical requests of one run and
the tables; objects from before the run are ignored.
"""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from tests.chaos.checker.effects_contents import check_contents
from tests.chaos.checker.effects_moderation import check_moderation
from tests.chaos.checker.effects_people import check_people
from tests.chaos.checker.effects_spaces import check_spaces
from tests.chaos.checker.log_facts import LogFacts
from tests.chaos.checker.logical_requests import LogicalRequest, read_logical_requests
from tests.chaos.checker.tables import Tables
from tests.chaos.violation import Violation
from tests.chaos.workload.journal import Outcome


async def check_journal(
    path: Path, tables: Tables, log_facts: LogFacts
) -> AsyncIterator[Violation]:
    """Check every operation of a journal."""
    requests = read_logical_requests(path)
    if not requests:
        return
    for violation in _check_rejections(requests):
        yield violation
    for checked in (
        check_contents(requests, tables),
        check_spaces(requests, tables),
        check_moderation(requests, tables),
        check_people(requests, tables, log_facts),
    ):
        async for violation in checked:
            yield violation


def _check_rejections(requests: Sequence[LogicalRequest]) -> list[Violation]:
    """Find invalid requests that succeeded and idempotency keys with two different responses."""
    violations = []
    for request in requests:
        key = f"{request.tenant}:{request.number}"
        if request.expected is not None and request.outcome is Outcome.OK:
            invariant = "I9" if request.verb == "wrong_tenant" else "I1"
            violations.append(
                Violation(invariant, key, f"{request.verb} {request.path} was not refused")
            )
        if any(response != request.answer for response in request.answers[1:]):
            text = f"{request.verb} {request.path}: one idempotency key, two answers"
            violations.append(Violation("I1", key, text))
    return violations
