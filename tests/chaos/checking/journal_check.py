"""I1: what was answered has its effect, what was refused has none, what is unsure has one at most.

`effects_*` modules hold one function for each kind of thing; each gets the wishes of one run and
the tables. What was made before the run began is not looked at.
"""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from tests.chaos.checking.effects_people import check_people
from tests.chaos.checking.effects_said import check_said
from tests.chaos.checking.effects_spaces import check_spaces
from tests.chaos.checking.effects_work import check_work
from tests.chaos.checking.tables import Tables
from tests.chaos.checking.told import Told
from tests.chaos.checking.wishes import Wish, wishes
from tests.chaos.violation import Violation
from tests.chaos.workload.journal import Outcome


async def check_journal(path: Path, tables: Tables, told: Told) -> AsyncIterator[Violation]:
    """Check every operation of a journal."""
    wished = wishes(path)
    if not wished:
        return
    for each in _refused(wished):
        yield each
    for checked in (
        check_said(wished, tables),
        check_spaces(wished, tables),
        check_work(wished, tables),
        check_people(wished, tables, told),
    ):
        async for each in checked:
            yield each


def _refused(wished: Sequence[Wish]) -> list[Violation]:
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
