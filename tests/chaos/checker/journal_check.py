"""I1: what was answered has its effect, what was refused has none, what is unsure has one at most.

`effects_*` modules hold one function for each kind of thing; each gets the wishes of one run and
the tables. What was made before the run began is not looked at.
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


async def check_journal(path: Path, tables: Tables, told: LogFacts) -> AsyncIterator[Violation]:
    """Check every operation of a journal."""
    wished = read_logical_requests(path)
    if not wished:
        return
    for each in _refused(wished):
        yield each
    for checked in (
        check_contents(wished, tables),
        check_spaces(wished, tables),
        check_moderation(wished, tables),
        check_people(wished, tables, told),
    ):
        async for each in checked:
            yield each


def _refused(wished: Sequence[LogicalRequest]) -> list[Violation]:
    """What is wrong on purpose must not be done; what is done twice is answered alike."""
    found = []
    for wish in wished:
        key = f"{wish.tenant}:{wish.number}"
        if wish.expected is not None and wish.outcome is Outcome.OK:
            invariant = "I9" if wish.verb == "wrong_tenant" else "I1"
            found.append(Violation(invariant, key, f"{wish.verb} {wish.path} was not refused"))
        if any(answer != wish.answer for answer in wish.answers[1:]):
            text = f"{wish.verb} {wish.path}: one idempotency key, two answers"
            found.append(Violation("I1", key, text))
    return found
