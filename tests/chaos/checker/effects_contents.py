"""I1 of contents: published, edited, removed, accepted, flagged, imported."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from uuid import UUID, uuid5

from tests.chaos.checker.logical_requests import LogicalRequest, with_verb
from tests.chaos.checker.tables import Row, Tables
from tests.chaos.violation import Violation
from tests.chaos.workload.journal import Outcome

PUBLISHING_VERBS = ("publish", "announce", "answer", "comment")
_CONTENTS = """
    SELECT tenant_id::text AS t, content_id::text AS id, root_id::text AS root, kind, title, body,
           parent_id::text AS parent, author_id::text AS author, version, standing,
           accepted_id::text AS accepted, created_at
    FROM contents
"""
_FLAGS = """
    SELECT tenant_id::text AS t, content_id::text AS id, member_id::text AS member, reason
    FROM flags WHERE flagged_at >= $1
"""


async def check_contents(
    requests: Sequence[LogicalRequest], tables: Tables
) -> AsyncIterator[Violation]:
    """Look at every content of the run."""
    contents = {row["id"]: row for row in await tables.rows("community", _CONTENTS)}
    flags = await tables.rows("community", _FLAGS, requests[0].begun)
    for check in (
        _published(requests, contents),
        _changed(requests, contents),
        _accepted(requests, contents),
        _flagged(requests, flags),
        _imported(requests, contents),
    ):
        for violation in check:
            yield violation


def _published(
    requests: Sequence[LogicalRequest], contents: Mapping[str, Row]
) -> Iterator[Violation]:
    """Match contents with requests: one for each `ok`, at most one for each `maybe`."""
    created: dict[str, LogicalRequest] = {}
    for request in with_verb(requests, *PUBLISHING_VERBS):
        if request.outcome is Outcome.OK:
            created[request.answer["content_id"]] = request
    for content_id, request in created.items():
        row = contents.get(content_id)
        key = f"{request.tenant}:{content_id}"
        if row is None:
            yield Violation("I1", key, f"{request.verb} was answered, the content is not there")
        elif (row["t"], row["author"]) != (request.tenant, request.member):
            yield Violation("I1", key, f"is by {row['author']}, was said by {request.member}")
        elif row["version"] == 1 and row["body"] != request.body["body"]:
            yield Violation("I1", key, "holds another text than was said")
    yield from _unexplained_contents(requests, contents, created)


def _unexplained_contents(
    requests: Sequence[LogicalRequest],
    contents: Mapping[str, Row],
    answered: Mapping[str, LogicalRequest],
) -> Iterator[Violation]:
    maybes = Counter(
        (request.member, request.body.get("title"), request.body["body"])
        for request in with_verb(requests, *PUBLISHING_VERBS)
        if request.outcome is Outcome.MAYBE
    )
    people = {request.member for request in requests if request.member}
    edited = {
        request.target_id for request in with_verb(requests, "edit") if request.may_have_succeeded
    }
    for row in contents.values():
        if row["created_at"] < requests[0].begun or row["author"] not in people:
            continue
        if row["id"] in answered or row["id"] in edited:
            continue
        words = (row["author"], row["title"], row["body"])
        maybes[words] -= 1
        if maybes[words] < 0:
            text = "exists without a request, or was rejected, or exists twice"
            yield Violation("I1", f"{row['t']}:{row['root']}", f"content {row['id']} {text}")


def _changed(
    requests: Sequence[LogicalRequest], contents: Mapping[str, Row]
) -> Iterator[Violation]:
    """Compare versions with the number of edits, and statuses with removals."""
    possible_edits: Counter[str] = Counter()
    for request in with_verb(requests, *PUBLISHING_VERBS):
        if request.outcome is Outcome.OK:
            possible_edits[request.answer["content_id"]] += 0
    for request in with_verb(requests, "edit"):
        possible_edits[request.target_id] += request.may_have_succeeded
    certain_edits = _edits(requests)
    for content_id, max_edits in possible_edits.items():
        row = contents.get(content_id)
        if row is not None and not certain_edits[content_id] <= row["version"] - 1 <= max_edits:
            count = certain_edits[content_id]
            text = f"was edited {row['version'] - 1} times; {count} edits were answered,"
            key = f"{row['t']}:{row['root']}"
            yield Violation("I1", key, f"content {content_id} {text} {max_edits} requested")
    for request in with_verb(requests, "remove"):
        row = contents.get(request.target_id)
        if request.outcome is Outcome.OK and (row is None or row["standing"] != "removed"):
            yield Violation(
                "I1", f"{request.tenant}:{request.target_id}", "its removal was answered, no more"
            )


def _edits(requests: Sequence[LogicalRequest]) -> Counter[str]:
    """Count the successful edits by content, without those that changed nothing."""
    edits = {
        (request.target_id, request.answer["version"], request.answer["body"])
        for request in with_verb(requests, "edit")
        if request.outcome is Outcome.OK and request.answer["version"] > 1
    }
    return Counter(about for about, _, _ in edits)


def _accepted(
    requests: Sequence[LogicalRequest], contents: Mapping[str, Row]
) -> Iterator[Violation]:
    """Check that each successful acceptance left one of the requested answers accepted."""
    requested: defaultdict[str, set[str]] = defaultdict(set)
    certain_roots = set()
    for request in with_verb(requests, "accept"):
        content = contents.get(request.target_id)
        if content is not None and request.may_have_succeeded:
            requested[content["root"]].add(request.target_id)
            if request.outcome is Outcome.OK:
                certain_roots.add(content["root"])
    for root in certain_roots:
        row = contents.get(root)
        if row is not None and row["accepted"] not in requested[root]:
            text = f"an acceptance was answered; accepted is {row['accepted'] or 'nothing'}"
            yield Violation("I1", f"{row['t']}:{root}", text)


def _flagged(requests: Sequence[LogicalRequest], flags: Sequence[Row]) -> Iterator[Violation]:
    """Match flags with requests: a row for each `ok`, no row without a request."""
    rows = {(row["id"], row["member"]): row for row in flags}
    requested = set()
    for request in with_verb(requests, "flag"):
        flag_key = (request.target_id, request.member)
        if request.may_have_succeeded:
            requested.add(flag_key)
        if request.outcome is Outcome.OK and flag_key not in rows:
            yield Violation(
                "I1", f"{request.tenant}:{request.target_id}", f"{request.member}’s flag is lost"
            )
    people = {request.member for request in requests if request.member}
    for (content_id, member), row in rows.items():
        if member in people and (content_id, member) not in requested:
            yield Violation(
                "I1", f"{row['t']}:{content_id}", f"{member} did not flag it, or failed"
            )


def _imported(
    requests: Sequence[LogicalRequest], contents: Mapping[str, Row]
) -> Iterator[Violation]:
    """Every line that was taken in is there under the name that it must have; no refused one is."""
    for request in with_verb(requests, "import_contents"):
        if request.outcome is not Outcome.OK:
            continue
        for line, result in zip(request.body["lines"], request.answer["lines"], strict=True):
            name = f"{request.body['source']}\ncontent\n{line['outside_id']}"
            content_id = str(uuid5(UUID(request.tenant), name))
            there = content_id in contents
            if there is (result["outcome"] == "refused") and "another text" not in str(result):
                text = (
                    f"line {line['outside_id']} was {result['outcome']}, it is {_presence(there)}"
                )
                yield Violation("I1", f"{request.tenant}:{content_id}", text)


def _presence(there: bool) -> str:
    return "there" if there else "not there"
