"""Corruptions of tables and journals that the checker must report."""

from collections.abc import Callable
from typing import Any

Line = dict[str, Any]
Change = Callable[[Line], Line | None]

# What is broken, and how it is mended: service, both statements, invariant, what is said.
BROKEN = {
    "a right that was not copied": (
        "metrics", "UPDATE rights_members SET minor = NOT minor", "", "I6", "copy of members",
    ),
    "a role that was not copied": (
        "community", "UPDATE rights_roles SET until = now()",
        "UPDATE rights_roles SET until = NULL", "I6", "community's copy of roles",
    ),
    "a zone that was not copied": (
        "moderation", "UPDATE rights_structures SET time_zone = 'Asia/Tokyo'",
        "UPDATE rights_structures SET time_zone = 'Europe/Paris'", "I6", "copy of structures",
    ),
    "a count too many": (
        "metrics", "UPDATE day_counts SET n = n + 1 WHERE what = 'comments'",
        "UPDATE day_counts SET n = n - 1 WHERE what = 'comments'", "I6", "day counts",
    ),
    "a flag that was not counted": (
        "metrics", "UPDATE day_counts SET n = n - 1 WHERE what = 'flags'",
        "UPDATE day_counts SET n = n + 1 WHERE what = 'flags'", "I6", "day counts",
    ),
    "a member's active day": (
        "metrics", "UPDATE person_months SET mask = mask # 1", "", "I6", "days of people",
    ),
    "an answer's time": (
        "metrics", "UPDATE questions SET answered_at = answered_at + interval '1 second'",
        "UPDATE questions SET answered_at = answered_at - interval '1 second'", "I6", "questions",
    ),
    "an enrolment that was lost": (
        "metrics", "UPDATE enrolments SET left_at = now()",
        "UPDATE enrolments SET left_at = NULL", "I6", "enrolments",
    ),
    "an edit without its fact": (
        "community", "UPDATE contents SET version = version + 1",
        "UPDATE contents SET version = version - 1", "I2", "versions of contents",
    ),
    "a text that was not screened": (
        "moderation", "UPDATE screenings SET version = version + 1000",
        "UPDATE screenings SET version = version - 1000", "I5", "last version that was screened",
    ),
    "a flag that no case keeps": (
        "moderation", "UPDATE case_flags SET version = version + 1000",
        "UPDATE case_flags SET version = version - 1000", "I6", "flags kept",
    ),
    "a decision on another version": (
        "community", "UPDATE contents SET decided_version = decided_version + 1",
        "UPDATE contents SET decided_version = decided_version - 1", "I6", "no decision says",
    ),
    "a notification that leads nowhere": (
        "notifications", "UPDATE notifications SET gone = NOT gone",
        "UPDATE notifications SET gone = NOT gone", "I6", "inboxes",
    ),
    "a removal that was not carried out": (
        "community", "UPDATE contents SET standing = 'hidden' WHERE decision_id IS NOT NULL",
        "UPDATE contents SET standing = 'removed' WHERE decision_id IS NOT NULL",
        "I6", "which no decision says",
    ),
    "a notification of something else": (
        "notifications", "UPDATE notifications SET category = 'alert' WHERE category = 'statement'",
        "UPDATE notifications SET category = 'statement' WHERE category = 'alert'",
        "I6", "inboxes",
    ),
}  # fmt: skip


def _only(verb: str, **fields: object) -> Change:
    """Alter the operations of one verb."""
    return lambda line: {**line, **fields} if line["verb"] == verb else line


def _without(verb: str) -> Change:
    return lambda line: None if line["verb"] == verb else line


def _refused(verb: str) -> Change:
    return _only(verb, outcome="failed", status=409, answer=None)


# What a service's own `projections.py` must see, all broken at once: service, statement, name.
_HEADS = "UPDATE heads SET sequence = 1 WHERE topic = "
_WAITS = (
    "INSERT INTO held_back (tenant_id, space_id, what, at) SELECT tenant_id, space_id, 'flags', "
)
_ALERTS = """
    INSERT INTO alerts SELECT tenant_id, space_id, space_id, structure_id, now(), now(), now(),
                              1, 1, space_id, space_id, 'flags', NULL FROM spaces
"""
_ACCEPTS = "UPDATE contents SET accepted_id = content_id WHERE kind = 'question'"
OWN = (
    ("identity", "DELETE FROM heads WHERE topic = 'identity.structure'", "each structure owes"),
    ("identity", f"{_HEADS} 'identity.member'", "facts that each member's rows owe"),
    ("community", f"{_HEADS} 'community.post'", "facts that each conversation's rows owe"),
    ("community", f"{_HEADS} 'community.space'", "facts that each space's rows owe"),
    ("community", "UPDATE contents SET root_id = content_id", "replies and their conversation"),
    ("community", _ACCEPTS, "accepted answers"),
    ("moderation", "DELETE FROM heads WHERE topic = 'moderation.case'", "cases owe"),
    ("moderation", "UPDATE statements SET policy = 'autre'", "statements and their decisions"),
    ("moderation", "UPDATE cases SET state = 'open'", "cases that were decided"),
    ("moderation", "UPDATE cases SET flags = flags + 1", "people who flagged in each case"),
    ("notifications", "UPDATE unread SET n = n + 1", "counters of what is unread"),
    ("notifications", "UPDATE notifications SET gone = true", "what cannot be read"),
    # The first day without activity gets some: to take the only day away would break nothing.
    (
        "metrics",
        "UPDATE person_months SET mask = mask | (mask + 1)",
        "days of people and days of spaces",
    ),
    ("metrics", f"{_WAITS} now() FROM spaces", "what waits for a space"),
    ("metrics", _ALERTS, "facts that each alert requires"),
)


# What the journal says otherwise, and what is said of it.
JOURNALS: dict[str, tuple[Change, str]] = {
    "answered, but not there": (
        _only("publish", answer={"content_id": "00000000-0000-7000-8000-000000000000"}),
        "the content is not there",
    ),
    "refused, but there": (_refused("publish"), "exists without a request, or was rejected"),
    "said once, there twice": (
        lambda line: None if line["verb"] == "comment" and _second(line) else line,
        "exists without a request",
    ),
    "another text": (
        lambda line: (
            {**line, "body": {"body": "autre"}} if line["verb"] == "answer" else line
        ),
        "another text than was said",
    ),
    "edits without requests": (_without("edit"), "was edited 2 times; 0 edits were answered"),
    "edits that were refused": (
        lambda line: (
            {**line, "outcome": "failed"}
            if line["verb"] == "edit" and "samedi" in str(line["body"])
            else line
        ),
        "was edited 2 times; 1 edits were answered",
    ),
    "an edit that was lost": (
        lambda line: (
            {**line, "answer": {**line["answer"], "version": 2}}
            if line["verb"] == "edit" and "Nous" in str(line["body"])
            else line
        ),
        "was edited 0 times; 1 edits were answered",
    ),
    "a flag without a request": (_refused("flag"), "did not flag it, or failed"),
    "a flag that was lost": (_only("flag", member="nobody"), "flag is lost"),
    "a space without a request": (_refused("open_space"), "exists without a request"),
    "a decision that was refused": (_refused("decide"), "who did not ask for it"),
    "another decision": (
        _only("decide", body={"action": "keep", "policy": "spam", "reason": "spam"}),
        "decided was",
    ),
    "left, but there": (_without("join"), "leave was answered last"),
    "suspended, but not": (_without("reinstate"), "suspend was answered, not done"),
    "revoked, but held": (
        lambda line: {**line, "verb": "revoke"} if line["verb"] == "grant" else line,
        "revoke of parent was answered",
    ),
    "a member who was refused": (_refused("add_member"), "was refused, and is there"),
    "a line that was taken in": (
        _only("import_contents", answer={"lines": [{"outcome": "created"}] * 2}),
        "line post:2 was created, it is not there",
    ),
    "what had to be refused": (
        _only("wrong_author", outcome="ok", answer={}), "was not refused",
    ),
    "removed, but not": (
        lambda line: (
            {**line, "path": line["path"].replace(_removed(line), _answer())}
            if line["verb"] == "remove"
            else line
        ),
        "its removal was answered",
    ),
}  # fmt: skip


def _second(line: Line) -> bool:
    return bool(line["body"]["body"] == "Merci 👍" and line["n"] % 2)


def _removed(line: Line) -> str:
    return str(line["path"].split("/")[4])


def _answer() -> str:
    return "00000000-0000-7000-8000-000000000000"
