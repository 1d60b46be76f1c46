"""I6: what metrics has counted is what community's and moderation's tables add up to."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from tests.chaos.checker.compare import differences
from tests.chaos.checker.tables import Row, Tables
from tests.chaos.violation import Violation

COUNTER_OF_KIND = {
    "question": "questions",
    "answer": "answers",
    "comment": "comments",
    "discussion": "discussions",
    "announcement": "announcements",
}
_CONTENTS = """
    SELECT c.tenant_id AS t, c.content_id, c.root_id, c.space_id, c.kind, c.created_at, c.author_id,
           s.time_zone
    FROM contents c JOIN spaces s ON s.tenant_id = c.tenant_id AND s.space_id = c.space_id
"""
_SPACES = """
    SELECT tenant_id || ':' || space_id AS key,
           concat_ws(' ', structure_id, path, time_zone) AS value
    FROM spaces
"""
_BELONGING = """
    SELECT concat_ws(':', tenant_id, space_id, member_id) AS key, joined_at::text AS value
    FROM memberships
"""
_ENROLLED = """
    SELECT concat_ws(':', tenant_id, space_id, member_id) AS key, joined_at::text AS value
    FROM enrolments WHERE left_at IS NULL
"""
_COUNTED = """
    SELECT concat_ws(':', tenant_id, space_id, day, what) AS key, n AS value
    FROM day_counts WHERE n <> 0
"""
_MASKS = """
    SELECT concat_ws(':', tenant_id, space_id, member_id, month) AS key, mask AS value
    FROM person_months
"""
_QUESTIONS = """
    SELECT tenant_id || ':' || question_id AS key,
           concat_ws(' ', asked_at AT TIME ZONE 'UTC', answered_at AT TIME ZONE 'UTC') AS value
    FROM questions
"""


async def check_figures(tables: Tables) -> AsyncIterator[Violation]:
    """Count again."""
    contents = {str(row["content_id"]): row for row in await tables.rows("community", _CONTENTS)}
    counts, masks = _count(contents)
    await _count_others(tables, contents, counts)
    pairs = {
        "spaces": (_SPACES, await tables.key_values("community", _SPACES)),
        "enrolments": (_ENROLLED, await tables.key_values("community", _BELONGING)),
        "day counts": (_COUNTED, {key: str(n) for key, n in counts.items()}),
        "days of people": (_MASKS, {key: str(mask) for key, mask in masks.items()}),
        "questions": (_QUESTIONS, _questions(contents)),
    }
    for name, (query, recomputed) in pairs.items():
        stored = await tables.key_values("metrics", query)
        for violation in differences("I6", f"metrics' {name}", stored, recomputed):
            yield violation


def _count(contents: Mapping[str, Row]) -> tuple[Counter[str], dict[str, int]]:
    counts: Counter[str] = Counter()
    masks: dict[str, int] = {}
    for row in contents.values():
        day = row["created_at"].astimezone(ZoneInfo(row["time_zone"])).date()
        counts[f"{row['t']}:{row['space_id']}:{day}:{COUNTER_OF_KIND[row['kind']]}"] += 1
        if row["author_id"] is not None:
            month = f"{row['t']}:{row['space_id']}:{row['author_id']}:{day.replace(day=1)}"
            masks[month] = masks.get(month, 0) | 1 << (day.day - 1)
    return counts, masks


async def _count_others(tables: Tables, contents: Mapping[str, Row], counts: Counter[str]) -> None:
    """Flags and decisions, on the day and in the space of theirs."""
    flags = await tables.rows("community", "SELECT content_id, flagged_at AS at FROM flags")
    decisions = await tables.rows(
        "moderation", "SELECT content_id, decided_at AS at FROM decisions"
    )
    for counter, rows in (("flags", flags), ("decisions", decisions)):
        for row in rows:
            content = contents.get(str(row["content_id"]))
            if content is not None:  # a content of the raw Kafka client has no known space
                day = row["at"].astimezone(ZoneInfo(content["time_zone"])).date()
                counts[f"{content['t']}:{content['space_id']}:{day}:{counter}"] += 1


def _questions(contents: Mapping[str, Row]) -> dict[str, str]:
    """When each was asked, and first answered."""
    first: dict[str, datetime] = {}
    for row in contents.values():
        if row["kind"] == "answer":
            root = str(row["root_id"])
            first[root] = min(first.get(root, row["created_at"]), row["created_at"])
    times_by_question = {}
    for name, row in contents.items():
        if row["kind"] == "question":
            times = [row["created_at"], *([first[name]] if name in first else [])]
            times_by_question[f"{row['t']}:{name}"] = " ".join(_written(time) for time in times)
    return times_by_question


def _written(moment: datetime) -> str:
    """As PostgreSQL writes it: no zeros at the end of the fraction."""
    text = moment.strftime("%Y-%m-%d %H:%M:%S.%f").rstrip("0")
    return text.removesuffix(".")
