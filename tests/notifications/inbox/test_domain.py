from uuid import UUID

import pytest
from msgspec.structs import replace

from services.community.conversations.domain import published_fact
from services.notifications.inbox.domain import Category, NotificationTarget, find_target
from shared.contracts.community import AnswerAccepted, CommentPublished, ContentKind, PostPublished
from shared.contracts.event import Person
from shared.contracts.example_data import ANSWER, COMMENT, HAMID, PUPIL, STATEMENT, TEACHER, ZOE
from shared.contracts.moderation import AppealDecided, HelpOffered, HelpWords, StatementIssued
from tests.community.conversations.builders import a_content


def _published(
    kind: ContentKind, author: Person | None, reply_to: Person | None
) -> PostPublished | CommentPublished:
    content = a_content(
        kind, content_id=ANSWER if kind is ContentKind.ANSWER else COMMENT, author_id=None
    )
    fact = published_fact(content, reply_to)
    assert isinstance(fact, PostPublished | CommentPublished)
    return replace(fact, author=author)


@pytest.mark.parametrize(
    ("kind", "category", "about"),
    [
        (ContentKind.ANSWER, Category.ANSWER_TO_MINE, ANSWER),
        (ContentKind.COMMENT, Category.COMMENT_ON_MINE, COMMENT),
    ],
)
def test_author_is_notified_of_a_reply(kind: ContentKind, category: Category, about: UUID) -> None:
    assert find_target(_published(kind, TEACHER, PUPIL)) == NotificationTarget(ZOE, category, about)
    assert find_target(_published(kind, None, PUPIL)) == NotificationTarget(ZOE, category, about)


@pytest.mark.parametrize("kind", ContentKind)
def test_own_replies_and_root_posts_notify_nobody(kind: ContentKind) -> None:
    assert find_target(_published(kind, PUPIL, PUPIL)) is None
    assert find_target(_published(kind, PUPIL, None)) is None


def test_author_of_accepted_answer_is_notified_unless_self_accepted() -> None:
    fact = replace(AnswerAccepted.example(), author=TEACHER, accepted_by=ZOE)
    assert find_target(fact) == NotificationTarget(HAMID, Category.ANSWER_ACCEPTED, fact.ref.id)
    assert find_target(replace(fact, accepted_by=HAMID)) is None
    assert find_target(replace(fact, author=None)) is None


def test_recipient_of_a_statement_is_notified() -> None:
    fact = replace(StatementIssued.example(), statement_id=STATEMENT, recipient=PUPIL)
    assert find_target(fact) == NotificationTarget(ZOE, Category.STATEMENT, STATEMENT)


def test_appellant_is_notified_of_the_outcome() -> None:
    fact = replace(AppealDecided.example(), statement_id=STATEMENT, appellant=PUPIL)
    assert find_target(fact) == NotificationTarget(ZOE, Category.APPEAL_DECIDED, STATEMENT)


def test_help_notification_contains_its_words() -> None:
    words = HelpWords(fr="Appelle le 3114.", en="Call 3114.")
    fact = replace(HelpOffered.example(), recipient=PUPIL, words=words)
    expected_words = {"fr": "Appelle le 3114.", "en": "Call 3114."}
    assert find_target(fact) == NotificationTarget(ZOE, Category.HELP, fact.ref.id, expected_words)
