"""A line per operation, read as it was written."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.chaos.workload.journal import (
    PROBLEM_TYPE,
    Journal,
    Operation,
    Outcome,
    outcome_of,
    read_journal,
    redact,
)

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def an_operation(**changes: Any) -> Operation:
    fields: dict[str, Any] = {
        "n": 1,
        "run": "7-a",
        "begun": NOON,
        "ended": NOON + timedelta(milliseconds=12),
        "member": "0197",
        "service": "community",
        "verb": "comment",
        "method": "POST",
        "path": "/community/v1/contents/1/comments",
        "outcome": Outcome.OK,
        "body": {"body": "L’été 🌞"},
        "idempotency_key": "7-a/1",
        "status": 201,
        "answer": {"content_id": "0198", "title": None},
    }
    return Operation(**(fields | changes))


def test_journal_reads_operations_as_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.ndjson", "7-a")
    operations = [
        an_operation(n=journal.next_number()),
        an_operation(n=journal.next_number(), status=None, answer="perdu", outcome=Outcome.MAYBE),
        an_operation(n=journal.next_number(), member=None, expected=404, replayed=True, tenant="t"),
    ]
    for operation in operations:
        journal.write(operation)
    journal.close()

    assert list(read_journal(journal.path)) == operations
    assert [operation.n for operation in operations] == [1, 2, 3]
    assert journal.path.read_bytes().count(b"\n") == 3


def test_multiline_response_is_journalled_on_one_line(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.ndjson", "7-a")
    journal.write(an_operation(answer=msgspec.Raw(b'{\n "html": "<p>\\n</p>"\n}')))
    journal.close()

    assert journal.path.read_bytes().count(b"\n") == 1
    assert next(read_journal(journal.path)).answer == {"html": "<p>\n</p>"}


def test_second_journal_appends_to_the_file(tmp_path: Path) -> None:
    for run in ("7-a", "8-b"):
        journal = Journal(tmp_path / "j.ndjson", run)
        journal.write(an_operation(run=run))
        journal.close()

    assert [operation.run for operation in read_journal(tmp_path / "j.ndjson")] == ["7-a", "8-b"]


@pytest.mark.parametrize(
    ("status", "content_type", "outcome"),
    [
        (200, "application/json", Outcome.OK),
        (201, "application/json", Outcome.OK),
        (204, "", Outcome.OK),
        (404, PROBLEM_TYPE, Outcome.FAILED),
        (422, f"{PROBLEM_TYPE}; charset=utf-8", Outcome.FAILED),
        (429, PROBLEM_TYPE, Outcome.FAILED),
        (400, "text/plain", Outcome.MAYBE),
        (404, "application/json", Outcome.MAYBE),
        (302, "", Outcome.MAYBE),
        (500, PROBLEM_TYPE, Outcome.MAYBE),
        (503, PROBLEM_TYPE, Outcome.MAYBE),
        (None, "", Outcome.MAYBE),
    ],
)
def test_outcome_follows_status_and_content_type(
    status: int | None, content_type: str, outcome: Outcome
) -> None:
    assert outcome_of(status, content_type) is outcome


def test_secret_fields_are_redacted() -> None:
    body = {"password": "a", "invitation": "b", "access_token": "c", "refresh_token": "d", "x": 1}

    assert redact(body) == dict.fromkeys(body, "…") | {"x": 1}
