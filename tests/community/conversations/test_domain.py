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
from shared.contracts.cast import DECISION, NOON, PUPIL
from shared.contracts.community import (
    CommentEdited,
    CommentPublished,
    ContentKind,
    PostEdited,
    PostPublished,
)
from tests.community.conversations.builders import a_content

FITS = {
    (ContentKind.ANSWER, ContentKind.QUESTION),
    (ContentKind.COMMENT, ContentKind.QUESTION),
    (ContentKind.COMMENT, ContentKind.DISCUSSION),
    (ContentKind.COMMENT, ContentKind.ANNOUNCEMENT),
    (ContentKind.COMMENT, ContentKind.ANSWER),
}


@pytest.mark.parametrize("kind", [ContentKind.ANSWER, ContentKind.COMMENT])
@pytest.mark.parametrize("parent", [*ContentKind, None])
def test_every_reply_stands_where_it_belongs(kind: ContentKind, parent: ContentKind | None) -> None:
    above = a_content(parent) if parent else None
    if parent is not None and (kind, parent) in FITS:
        check_parent(kind, above)
    else:
        with pytest.raises(WrongParent):
            check_parent(kind, above)


@pytest.mark.parametrize("kind", ContentKind)
def test_what_was_published_says_its_text_and_to_whom_it_replies(kind: ContentKind) -> None:
    fact = published_fact(a_content(kind), PUPIL)
    assert isinstance(fact, CommentPublished if kind is ContentKind.COMMENT else PostPublished)
    assert fact.content.clear is not None
    assert (fact.content.clear.body, fact.reply_to) == ("Où ça ?", PUPIL)


def test_an_edit_is_the_next_version_and_keeps_a_hidden_content_hidden() -> None:
    later = NOON + timedelta(hours=1)
    before = a_content(standing=ContentStatus.HIDDEN, reason="insult")
    edited = edit(before, "Ô ciel", "Où donc ? 🎸", later)
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


def test_an_edit_to_the_same_text_is_none() -> None:
    post = a_content()
    assert edit(post, post.title, post.body, NOON) is None
    assert edit(post, None, post.body, NOON) is None, "a title that is not given stays"
    assert edit(post, f"{post.title} !", post.body, NOON) is not None


@pytest.mark.parametrize("kind", [ContentKind.ANSWER, ContentKind.COMMENT])
def test_answers_and_comments_take_no_title(kind: ContentKind) -> None:
    with pytest.raises(TitleNotAllowed):
        edit(a_content(kind), "Un titre", "Un texte", NOON)


def test_nothing_more_is_done_with_what_is_removed_or_below_it() -> None:
    here, gone = a_content(), a_content(standing=ContentStatus.REMOVED)
    check_not_removed(here, a_content(standing=ContentStatus.HIDDEN))
    with pytest.raises(ContentGone):
        check_not_removed(here, gone)


def test_what_is_removed_is_not_edited() -> None:
    with pytest.raises(ContentGone):
        edit(a_content(standing=ContentStatus.REMOVED), None, "Encore", NOON)


@pytest.mark.parametrize("version", [None, 1, 2])
def test_a_content_is_flagged_at_the_version_that_was_read(version: int | None) -> None:
    content = a_content(version=2, standing=ContentStatus.REMOVED, reason="by_author")
    assert check_flaggable(content, version).version == (version or 2)


@pytest.mark.parametrize("version", [0, 3])
def test_a_version_that_never_was_cannot_be_flagged(version: int) -> None:
    with pytest.raises(NoSuchVersion):
        check_flaggable(a_content(version=2), version)


def test_what_a_decision_removed_cannot_be_flagged() -> None:
    with pytest.raises(ContentGone):
        check_flaggable(a_content(standing=ContentStatus.REMOVED, decision_id=DECISION), None)


def test_what_nobody_wrote_has_no_author() -> None:
    assert a_content(author_id=None).author is None
