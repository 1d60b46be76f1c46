from datetime import timedelta

import pytest

from services.community.conversations.domain import (
    ContentGone,
    NoTitleHere,
    Standing,
    WrongParent,
    check_parent,
    check_there,
    edit,
    move,
    published,
)
from shared.contracts.cast import DECISION, NOON, PUPIL, ZOE
from shared.contracts.community import (
    CommentEdited,
    CommentHidden,
    CommentPublished,
    ContentKind,
    PostEdited,
    PostHidden,
    PostPublished,
    PostRemoved,
    PostRestored,
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
    fact = published(a_content(kind), PUPIL)
    assert isinstance(fact, CommentPublished if kind is ContentKind.COMMENT else PostPublished)
    assert fact.content.clear is not None
    assert (fact.content.clear.body, fact.reply_to) == ("Où ça ?", PUPIL)


def test_an_edit_is_the_next_version_and_keeps_a_hidden_content_hidden() -> None:
    later = NOON + timedelta(hours=1)
    before = a_content(standing=Standing.HIDDEN, reason="insult")
    edited = edit(before, "Ô ciel", "Où donc ? 🎸", later)
    assert edited
    changed, fact = edited
    assert (changed.version, changed.standing, changed.edited_at) == (2, Standing.HIDDEN, later)
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
    with pytest.raises(NoTitleHere):
        edit(a_content(kind), "Un titre", "Un texte", NOON)


def test_nothing_more_is_done_with_what_is_removed_or_below_it() -> None:
    here, gone = a_content(), a_content(standing=Standing.REMOVED)
    check_there(here, a_content(standing=Standing.HIDDEN))
    with pytest.raises(ContentGone):
        check_there(here, gone)


def test_what_is_removed_is_neither_edited_nor_moved() -> None:
    gone = a_content(standing=Standing.REMOVED)
    with pytest.raises(ContentGone):
        edit(gone, None, "Encore", NOON)
    assert [move(gone, standing) for standing in Standing] == [None] * 3


@pytest.mark.parametrize(
    ("before", "after", "fact"),
    [
        (Standing.VISIBLE, Standing.HIDDEN, PostHidden),
        (Standing.VISIBLE, Standing.REMOVED, PostRemoved),
        (Standing.HIDDEN, Standing.VISIBLE, PostRestored),
        (Standing.HIDDEN, Standing.REMOVED, PostRemoved),
        (Standing.HIDDEN, Standing.HIDDEN, None),
        (Standing.VISIBLE, Standing.VISIBLE, None),
    ],
)
def test_a_content_moves_once(before: Standing, after: Standing, fact: type | None) -> None:
    moved = move(a_content(standing=before), after, reason="r", by=ZOE, decision_id=DECISION)
    if fact is None:
        assert moved is None
        return
    assert moved is not None
    assert (moved[0].standing, moved[0].reason, type(moved[1])) == (after, "r", fact)


def test_a_comment_has_facts_of_its_own() -> None:
    moved = move(a_content(ContentKind.COMMENT), Standing.HIDDEN)
    assert moved is not None
    assert isinstance(moved[1], CommentHidden)


def test_what_nobody_wrote_has_no_author() -> None:
    assert a_content(author_id=None).author is None
