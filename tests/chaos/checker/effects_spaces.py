"""I1 of spaces: opened, joined, left."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence

from tests.chaos.checker.logical_requests import LogicalRequest, with_verb
from tests.chaos.checker.tables import Row, Tables
from tests.chaos.violation import Violation
from tests.chaos.workload.journal import Outcome

_SPACES = """
    SELECT tenant_id::text AS t, space_id::text AS id, name, opened_by::text AS member, opened_at
    FROM spaces
"""
_MEMBERSHIPS = """
    SELECT space_id::text AS id, member_id::text AS member FROM memberships
"""


async def check_spaces(
    wished: Sequence[LogicalRequest], tables: Tables
) -> AsyncIterator[Violation]:
    """Look at every space of the run."""
    spaces = await tables.rows("community", _SPACES)
    for each in _opened(wished, spaces):
        yield each
    belongs = {(r["id"], r["member"]) for r in await tables.rows("community", _MEMBERSHIPS)}
    for each in _belonging(wished, belongs):
        yield each


def _opened(wished: Sequence[LogicalRequest], spaces: Sequence[Row]) -> Iterator[Violation]:
    known = {row["id"]: row for row in spaces}
    answered = set()
    maybes: Counter[tuple[str, str]] = Counter()
    for wish in with_verb(wished, "open_space"):
        if wish.outcome is Outcome.OK:
            space_id = wish.answer["space_id"]
            answered.add(space_id)
            if space_id not in known or known[space_id]["name"] != wish.body["name"]:
                text = "its opening was answered, it is not there"
                yield Violation("I1", f"{wish.tenant}:{space_id}", text)
        elif wish.may_have_succeeded:
            maybes[wish.member, wish.body["name"]] += 1
    for row in spaces:
        if row["opened_at"] >= wished[0].begun and row["id"] not in answered:
            maybes[row["member"], row["name"]] -= 1
            if maybes[row["member"], row["name"]] < 0:
                text = "is open, though nobody opened it, or it was refused, or opened once"
                yield Violation("I1", f"{row['t']}:{row['id']}", text)


def _belonging(
    wished: Sequence[LogicalRequest], belongs: set[tuple[str, str]]
) -> Iterator[Violation]:
    """The last wish that was answered counts, if none that may have come true came after it."""
    told: defaultdict[tuple[str, str], list[LogicalRequest]] = defaultdict(list)
    for wish in with_verb(wished, "join", "leave"):
        if wish.may_have_succeeded:
            told[wish.target_id, wish.member].append(wish)
    for place, changes in told.items():
        last = last_certain(changes)
        if last is not None and (place in belongs) is not (last.verb == "join"):
            text = f"{place[1]}: {last.verb} was answered last, and it is not so"
            yield Violation("I1", f"{last.tenant}:{place[0]}", text)


def last_certain(changes: Sequence[LogicalRequest]) -> LogicalRequest | None:
    """Return the wish that must be what is so now; None when that is not known."""
    last = max(changes, key=lambda wish: wish.ended)
    overlapping = [wish for wish in changes if wish is not last and wish.ended > last.begun]
    maybes = [wish for wish in changes if wish.outcome is Outcome.MAYBE]
    # A maybe of long ago may come true late: its request can lie in a queue until its time-out.
    if last.outcome is not Outcome.OK or maybes:
        same = {wish.verb for wish in changes} == {last.verb}
        return last if last.outcome is Outcome.OK and same else None
    return None if any(wish.verb != last.verb for wish in overlapping) else last
