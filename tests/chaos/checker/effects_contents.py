"""I1 of what is said: published, edited, removed, accepted, flagged, brought in."""

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
    wished: Sequence[LogicalRequest], tables: Tables
) -> AsyncIterator[Violation]:
    """Look at every content of the run."""
    contents = {row["id"]: row for row in await tables.rows("community", _CONTENTS)}
    flags = await tables.rows("community", _FLAGS, wished[0].begun)
    for check in (
        _published(wished, contents),
        _changed(wished, contents),
        _accepted(wished, contents),
        _flagged(wished, flags),
        _imported(wished, contents),
    ):
        for each in check:
            yield each


def _published(
    wished: Sequence[LogicalRequest], contents: Mapping[str, Row]
) -> Iterator[Violation]:
    """Each ok wish is one content, each maybe one at most, and no content is nobody's wish."""
    answered: dict[str, LogicalRequest] = {}
    for wish in with_verb(wished, *PUBLISHING_VERBS):
        if wish.outcome is Outcome.OK:
            answered[wish.answer["content_id"]] = wish
    for content_id, wish in answered.items():
        row = contents.get(content_id)
        key = f"{wish.tenant}:{content_id}"
        if row is None:
            yield Violation("I1", key, f"{wish.verb} was answered, the content is not there")
        elif (row["t"], row["author"]) != (wish.tenant, wish.member):
            yield Violation("I1", key, f"is by {row['author']}, was said by {wish.member}")
        elif row["version"] == 1 and row["body"] != wish.body["body"]:
            yield Violation("I1", key, "holds another text than was said")
    yield from _nobodys(wished, contents, answered)


def _nobodys(
    wished: Sequence[LogicalRequest],
    contents: Mapping[str, Row],
    answered: Mapping[str, LogicalRequest],
) -> Iterator[Violation]:
    maybes = Counter(
        (wish.member, wish.body.get("title"), wish.body["body"])
        for wish in with_verb(wished, *PUBLISHING_VERBS)
        if wish.outcome is Outcome.MAYBE
    )
    people = {wish.member for wish in wished if wish.member}
    edited = {wish.target_id for wish in with_verb(wished, "edit") if wish.may_have_succeeded}
    for row in contents.values():
        if row["created_at"] < wished[0].begun or row["author"] not in people:
            continue
        if row["id"] in answered or row["id"] in edited:
            continue
        words = (row["author"], row["title"], row["body"])
        maybes[words] -= 1
        if maybes[words] < 0:
            text = "stands there, though nobody said it, or it was refused, or it was said once"
            yield Violation("I1", f"{row['t']}:{row['root']}", f"content {row['id']} {text}")


def _changed(wished: Sequence[LogicalRequest], contents: Mapping[str, Row]) -> Iterator[Violation]:
    """Versions count the edits; what was removed is removed."""
    perhaps: Counter[str] = Counter()
    for wish in with_verb(wished, *PUBLISHING_VERBS):
        if wish.outcome is Outcome.OK:
            perhaps[wish.answer["content_id"]] += 0
    for wish in with_verb(wished, "edit"):
        perhaps[wish.target_id] += wish.may_have_succeeded
    sure = _edits(wished)
    for content_id, most in perhaps.items():
        row = contents.get(content_id)
        if row is not None and not sure[content_id] <= row["version"] - 1 <= most:
            text = f"was edited {row['version'] - 1} times; {sure[content_id]} edits were answered,"
            key = f"{row['t']}:{row['root']}"
            yield Violation("I1", key, f"content {content_id} {text} {most} asked for")
    for wish in with_verb(wished, "remove"):
        row = contents.get(wish.target_id)
        if wish.outcome is Outcome.OK and (row is None or row["standing"] != "removed"):
            yield Violation(
                "I1", f"{wish.tenant}:{wish.target_id}", "its removal was answered, no more"
            )


def _edits(wished: Sequence[LogicalRequest]) -> Counter[str]:
    """Count the edits that were answered; one that changes nothing answers what was there."""
    seen = {
        (wish.target_id, wish.answer["version"], wish.answer["body"])
        for wish in with_verb(wished, "edit")
        if wish.outcome is Outcome.OK and wish.answer["version"] > 1
    }
    return Counter(about for about, _, _ in seen)


def _accepted(wished: Sequence[LogicalRequest], contents: Mapping[str, Row]) -> Iterator[Violation]:
    """Where an acceptance was answered, one of those that were asked for stands."""
    asked: defaultdict[str, set[str]] = defaultdict(set)
    sure = set()
    for wish in with_verb(wished, "accept"):
        answer = contents.get(wish.target_id)
        if answer is not None and wish.may_have_succeeded:
            asked[answer["root"]].add(wish.target_id)
            if wish.outcome is Outcome.OK:
                sure.add(answer["root"])
    for root in sure:
        row = contents.get(root)
        if row is not None and row["accepted"] not in asked[root]:
            text = f"an acceptance was answered; accepted is {row['accepted'] or 'nothing'}"
            yield Violation("I1", f"{row['t']}:{root}", text)


def _flagged(wished: Sequence[LogicalRequest], flags: Sequence[Row]) -> Iterator[Violation]:
    """Each ok flag has its row; no row is nobody's."""
    rows = {(row["id"], row["member"]): row for row in flags}
    asked = set()
    for wish in with_verb(wished, "flag"):
        place = (wish.target_id, wish.member)
        if wish.may_have_succeeded:
            asked.add(place)
        if wish.outcome is Outcome.OK and place not in rows:
            yield Violation(
                "I1", f"{wish.tenant}:{wish.target_id}", f"{wish.member}’s flag is lost"
            )
    people = {wish.member for wish in wished if wish.member}
    for (content_id, member), row in rows.items():
        if member in people and (content_id, member) not in asked:
            yield Violation(
                "I1", f"{row['t']}:{content_id}", f"{member} did not flag it, or failed"
            )


def _imported(wished: Sequence[LogicalRequest], contents: Mapping[str, Row]) -> Iterator[Violation]:
    """Every line that was taken in is there under the name that it must have; no refused one is."""
    for wish in with_verb(wished, "import_contents"):
        if wish.outcome is not Outcome.OK:
            continue
        for line, said in zip(wish.body["lines"], wish.answer["lines"], strict=True):
            name = f"{wish.body['source']}\ncontent\n{line['outside_id']}"
            content_id = str(uuid5(UUID(wish.tenant), name))
            there = content_id in contents
            if there is (said["outcome"] == "refused") and "another text" not in str(said):
                text = f"line {line['outside_id']} was {said['outcome']}, it is {_is(there)}"
                yield Violation("I1", f"{wish.tenant}:{content_id}", text)


def _is(there: bool) -> str:
    return "there" if there else "not there"
