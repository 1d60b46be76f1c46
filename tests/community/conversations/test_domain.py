from datetime import timedelta

import pytest

from services.community.conversations.domain import (
    ContentGone,
    ContentStatus,
    NoSuchVersion,
    TitleNotAllowed,
    WrongParent,
    check_flaggable,
    check_not_removed,
    check_parent,
    edit,
    published_fact,
)
from shared.contracts.community import (
    CommentEdited,
    CommentPublished,
    ContentKind,
    PostEdited,
    PostPublished,
)
from shared.contracts.example_data import DECISION, NOON, PUPIL
from tests.community.conversations.builders import a_content

ALLOWED_PARENTS = {
    (ContentKind.ANSWER, ContentKind.QUESTION),
    (ContentKind.COMMENT, ContentKind.QUESTION),
    (ContentKind.COMMENT, ContentKind.DISCUSSION),
    (ContentKind.COMMENT, ContentKind.ANNOUNCEMENT),
    (ContentKind.COMMENT, ContentKind.ANSWER),
}


@pytest.mark.parametrize("kind", [ContentKind.ANSWER, ContentKind.COMMENT])
@pytest.mark.parametrize("parent", [*ContentKind, None])
def test_check_parent_accepts_only_fitting_parents(
    kind: ContentKind, parent: ContentKind | None
) -> None:
    parent_content = a_content(parent) if parent else None
    if parent is not None and (kind, parent) in ALLOWED_PARENTS:
        check_parent(kind, parent_content)
    else:
        with pytest.raises(WrongParent):
            check_parent(kind, parent_content)


@pytest.mark.parametrize("kind", ContentKind)
def test_published_fact_carries_text_and_replied_author(kind: ContentKind) -> None:
    fact = published_fact(a_content(kind), PUPIL)
    assert isinstance(fact, CommentPublished if kind is ContentKind.COMMENT else PostPublished)
    assert fact.content.clear is not None
    assert (fact.content.clear.body, fact.reply_to) == ("Où ça ?", PUPIL)


def test_edit_increments_version_and_keeps_hidden_status() -> None:
    later = NOON + timedelta(hours=1)
    hidden = a_content(standing=ContentStatus.HIDDEN, reason="insult")
    edited = edit(hidden, "Ô ciel", "Où donc ? 🎸", later)
    assert edited
    changed, fact = edited
    assert (changed.version, changed.standing, changed.edited_at) == (
        2,
        ContentStatus.HIDDEN,
        later,
    )
    assert isinstance(fact, PostEdited)
    assert fact.ref.version == 2
    comment = edit(a_content(ContentKind.COMMENT), None, "x", later)
    assert comment
    assert isinstance(comment[1], CommentEdited)


def test_edit_to_same_text_returns_none() -> None:
    post = a_content()
    assert edit(post, post.title, post.body, NOON) is None
    assert edit(post, None, post.body, NOON) is None, "a title that is not given stays"
    assert edit(post, f"{post.title} !", post.body, NOON) is not None


@pytest.mark.parametrize("kind", [ContentKind.ANSWER, ContentKind.COMMENT])
def test_edit_refuses_title_on_answers_and_comments(kind: ContentKind) -> None:
    with pytest.raises(TitleNotAllowed):
        edit(a_content(kind), "Un titre", "Un texte", NOON)


def test_check_not_removed_refuses_any_removed_content() -> None:
    visible, removed = a_content(), a_content(standing=ContentStatus.REMOVED)
    check_not_removed(visible, a_content(standing=ContentStatus.HIDDEN))
    with pytest.raises(ContentGone):
        check_not_removed(visible, removed)


def test_edit_refuses_removed_content() -> None:
    with pytest.raises(ContentGone):
        edit(a_content(standing=ContentStatus.REMOVED), None, "Encore", NOON)


@pytest.mark.parametrize("version", [None, 1, 2])
def test_content_is_flagged_at_the_version_read(version: int | None) -> None:
    content = a_content(version=2, standing=ContentStatus.REMOVED, reason="by_author")
    assert check_flaggable(content, version).version == (version or 2)


@pytest.mark.parametrize("version", [0, 3])
def test_unknown_version_cannot_be_flagged(version: int) -> None:
    with pytest.raises(NoSuchVersion):
        check_flaggable(a_content(version=2), version)


def test_content_removed_by_decision_cannot_be_flagged() -> None:
    with pytest.raises(ContentGone):
        check_flaggable(a_content(standing=ContentStatus.REMOVED, decision_id=DECISION), None)


def test_content_without_author_id_has_no_author() -> None:
    assert a_content(author_id=None).author is None
