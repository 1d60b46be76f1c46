from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.community.conversations.domain import (
    MAX_BODY_CHARACTERS,
    MAX_TITLE_CHARACTERS,
    Content,
)
from services.community.imports.domain import (
    ImportRow,
    imported_content_id,
    is_unchanged,
    rejection_reason,
    to_content,
)
from shared.contracts.community import ContentKind
from shared.contracts.example_data import NOON, TENANT
from shared.contracts.ids import TenantId
from tests.community.conversations.builders import a_content
from tests.community.spaces.test_policy import SCHOOL_SPACE

SOURCE = "stackexchange:préau 🏫"
QUESTION = ImportRow("post:1", ContentKind.QUESTION, "<p>Où ?</p>", NOON, None, "7", "Ô ciel 🎸")
ANSWER = ImportRow("post:2", ContentKind.ANSWER, "<p>Là.</p>", NOON, "post:1", "8")
PARENT = a_content()


@pytest.mark.parametrize(
    ("row", "parent", "reason"),
    [
        (QUESTION, None, None),
        (ANSWER, PARENT, None),
        (ANSWER, None, "its parent post:1 is not there"),
        (replace(ANSWER, parent=None), None, "it names no parent"),
        (ANSWER, a_content(ContentKind.DISCUSSION), "a answer cannot stand there"),
        (replace(QUESTION, body=" \n\t"), None, "the text is empty"),
        (replace(QUESTION, body="\u200b\u00a0"), None, "the text is empty"),
        (replace(QUESTION, title="\u200d "), None, "the title is empty"),
        (replace(QUESTION, title=None), None, None),
        (replace(ANSWER, title="Ô ciel"), PARENT, "a answer has no title"),
        (replace(ANSWER, kind=ContentKind.COMMENT, title="Ô"), PARENT, "a comment has no title"),
        (
            replace(QUESTION, created_at=datetime.fromisoformat("0001-01-01T00:00:00+14:00")),
            None,
            "the date lies before 1900",
        ),
        (
            replace(QUESTION, created_at=datetime.fromisoformat("9999-12-31T23:59:59-12:00")),
            None,
            "the date lies in the future",
        ),
        (replace(QUESTION, body="é" * MAX_BODY_CHARACTERS), None, None),
        (
            replace(QUESTION, body="é" * (MAX_BODY_CHARACTERS + 1)),
            None,
            f"the text is longer than {MAX_BODY_CHARACTERS} characters",
        ),
        (
            replace(QUESTION, title="é" * (MAX_TITLE_CHARACTERS + 1)),
            None,
            f"the title is longer than {MAX_TITLE_CHARACTERS} characters",
        ),
        (
            replace(QUESTION, created_at=NOON + timedelta(seconds=1)),
            None,
            "the date lies in the future",
        ),
    ],
)
def test_rejection_reason_explains_each_invalid_row(
    row: ImportRow, parent: Content | None, reason: str | None
) -> None:
    assert rejection_reason(row, parent, NOON) == reason


def test_imported_content_id_is_unique_per_tenant_source_and_row() -> None:
    first_id = imported_content_id(TENANT, SOURCE, "post:1")
    assert first_id == imported_content_id(TENANT, SOURCE, "post:1")
    other_ids = {
        imported_content_id(TENANT, SOURCE, "post:11"),
        imported_content_id(TENANT, SOURCE + "1", "post:1"),
        imported_content_id(TenantId(first_id), SOURCE, "post:1"),
    }
    assert len(other_ids | {first_id}) == 4


def test_imported_content_keeps_date_and_parent() -> None:
    question = to_content(QUESTION, SCHOOL_SPACE, SOURCE, None)
    answer = to_content(ANSWER, SCHOOL_SPACE, SOURCE, question)
    assert (question.root_id, question.parent_id) == (question.content_id, None)
    assert (answer.root_id, answer.parent_id) == (question.content_id, question.content_id)
    assert (answer.created_at, answer.format) == (NOON, "html")
    assert question.author_id != answer.author_id


def test_row_of_deleted_account_has_no_author() -> None:
    content = to_content(replace(QUESTION, author=None), SCHOOL_SPACE, SOURCE, None)
    assert (content.author_id, content.author_structure) == (None, None)


def test_row_is_unchanged_if_text_matches_or_was_edited_here() -> None:
    content = to_content(QUESTION, SCHOOL_SPACE, SOURCE, None)
    new_id, other = content.content_id, replace(QUESTION, body="<p>Ailleurs</p>")
    assert is_unchanged(QUESTION, {new_id: content}, new_id)
    assert not is_unchanged(other, {new_id: content}, new_id)
    assert is_unchanged(other, {new_id: replace(content, version=2)}, new_id)
