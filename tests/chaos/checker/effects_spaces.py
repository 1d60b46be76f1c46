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
    requests: Sequence[LogicalRequest], tables: Tables
) -> AsyncIterator[Violation]:
    """Look at every space of the run."""
    spaces = await tables.rows("community", _SPACES)
    for violation in _opened(requests, spaces):
        yield violation
    memberships = {(r["id"], r["member"]) for r in await tables.rows("community", _MEMBERSHIPS)}
    for violation in _memberships(requests, memberships):
        yield violation


def _opened(requests: Sequence[LogicalRequest], spaces: Sequence[Row]) -> Iterator[Violation]:
    spaces_by_id = {row["id"]: row for row in spaces}
    answered = set()
    maybes: Counter[tuple[str, str]] = Counter()
    for request in with_verb(requests, "open_space"):
        if request.outcome is Outcome.OK:
            space_id = request.answer["space_id"]
            answered.add(space_id)
            if (
                space_id not in spaces_by_id
                or spaces_by_id[space_id]["name"] != request.body["name"]
            ):
                text = "its opening was answered, it is not there"
                yield Violation("I1", f"{request.tenant}:{space_id}", text)
        elif request.may_have_succeeded:
            maybes[request.member, request.body["name"]] += 1
    for row in spaces:
        if row["opened_at"] >= requests[0].begun and row["id"] not in answered:
            maybes[row["member"], row["name"]] -= 1
            if maybes[row["member"], row["name"]] < 0:
                text = "exists without a request, or was rejected, or exists twice"
                yield Violation("I1", f"{row['t']}:{row['id']}", text)


def _memberships(
    requests: Sequence[LogicalRequest], memberships: set[tuple[str, str]]
) -> Iterator[Violation]:
    """Compare memberships with the last certain change of each."""
    changes_by_membership: defaultdict[tuple[str, str], list[LogicalRequest]] = defaultdict(list)
    for request in with_verb(requests, "join", "leave"):
        if request.may_have_succeeded:
            changes_by_membership[request.target_id, request.member].append(request)
    for membership, changes in changes_by_membership.items():
        last_change = last_certain(changes)
        if last_change is not None and (membership in memberships) is not (
            last_change.verb == "join"
        ):
            text = f"{membership[1]}: {last_change.verb} was answered last, and it is not so"
            yield Violation("I1", f"{last_change.tenant}:{membership[0]}", text)


def last_certain(changes: Sequence[LogicalRequest]) -> LogicalRequest | None:
    """Return the change that decides the present state; None when that is uncertain."""
    last_change = max(changes, key=lambda request: request.ended)
    overlapping = [
        request
        for request in changes
        if request is not last_change and request.ended > last_change.begun
    ]
    maybes = [request for request in changes if request.outcome is Outcome.MAYBE]
    # A maybe of long ago may come true late: its request can lie in a queue until its time-out.
    if last_change.outcome is not Outcome.OK or maybes:
        same = {request.verb for request in changes} == {last_change.verb}
        return last_change if last_change.outcome is Outcome.OK and same else None
    return None if any(request.verb != last_change.verb for request in overlapping) else last_change
