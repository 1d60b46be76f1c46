"""Effects of decisions, reversals and authors on a content."""

from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from services.community.conversations.domain import (
    Content,
    ContentStatus,
    apply_decision,
    change_status,
    remove,
    reverse_decision,
)
from shared.contracts.community import (
    CommentHidden,
    ContentKind,
    ContentRef,
    PostHidden,
    PostRemoved,
    PostRestored,
)
from shared.contracts.example_data import DECISION, HAMID, QUESTION, ZOE
from shared.contracts.ids import DecisionId
from shared.contracts.moderation import Action, DecidedBy, DecisionMade, DecisionReversed
from tests.community.conversations.builders import a_content

OTHER = DecisionId(UUID(int=7))


def a_decision(
    action: Action, version: int = 1, decided_by: DecidedBy = DecidedBy.MEMBER
) -> DecisionMade:
    ref = ContentRef(kind=ContentKind.QUESTION, id=QUESTION, root_id=QUESTION, version=version)
    return replace(
        DecisionMade.example(),
        ref=ref,
        action=action,
        decided_by=decided_by,
        moderator_id=HAMID if decided_by is DecidedBy.MEMBER else None,
    )


def a_reversal(version: int = 1) -> DecisionReversed:
    ref = ContentRef(kind=ContentKind.QUESTION, id=QUESTION, root_id=QUESTION, version=version)
    return replace(DecisionReversed.example(), ref=ref)


@pytest.mark.parametrize(
    ("old_status", "action", "new_status", "fact"),
    [
        (ContentStatus.VISIBLE, Action.HIDE, ContentStatus.HIDDEN, PostHidden),
        (ContentStatus.VISIBLE, Action.REMOVE, ContentStatus.REMOVED, PostRemoved),
        (ContentStatus.HIDDEN, Action.KEEP, ContentStatus.VISIBLE, PostRestored),
        (ContentStatus.HIDDEN, Action.REMOVE, ContentStatus.REMOVED, PostRemoved),
        (ContentStatus.HIDDEN, Action.HIDE, ContentStatus.HIDDEN, type(None)),
    ],
)
def test_decision_changes_status_of_content(
    old_status: ContentStatus, action: Action, new_status: ContentStatus, fact: type
) -> None:
    result = apply_decision(a_content(standing=old_status), a_decision(action))
    assert result is not None
    changed = result[0]
    assert (changed.standing, changed.decision_id, type(result[1])) == (new_status, DECISION, fact)
    assert (changed.decided_by, changed.decided_version) == (DecidedBy.MEMBER, 1)


@pytest.mark.parametrize("action", Action)
def test_removed_content_stays_removed(action: Action) -> None:
    assert apply_decision(a_content(standing=ContentStatus.REMOVED), a_decision(action)) is None
    assert remove(a_content(standing=ContentStatus.REMOVED), ZOE) is None


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("decided_by", DecidedBy)
def test_decision_on_older_version_never_restores_newer_one(
    action: Action, decided_by: DecidedBy
) -> None:
    """Bait and switch: the moderator read version 1, readers would see version 2."""
    hidden = a_content(version=2, standing=ContentStatus.HIDDEN)
    result = apply_decision(hidden, a_decision(action, 1, decided_by))
    assert result is None or result[0].standing is not ContentStatus.VISIBLE


def test_moderators_hide_applies_to_later_versions_unlike_a_rules() -> None:
    edited = a_content(version=2)
    assert apply_decision(edited, a_decision(Action.HIDE, 1, DecidedBy.RULE)) is None
    result = apply_decision(edited, a_decision(Action.HIDE, 1))
    assert result is not None
    assert (result[0].standing, result[0].under_review) == (ContentStatus.HIDDEN, "moderator")


@pytest.mark.parametrize(
    ("changes", "reviewer"),
    [
        ({"standing": ContentStatus.HIDDEN, "version": 2, "decided_by": DecidedBy.RULE}, "rules"),
        (
            {"standing": ContentStatus.HIDDEN, "version": 2, "decided_by": DecidedBy.MEMBER},
            "moderator",
        ),
        ({"standing": ContentStatus.HIDDEN, "decided_by": DecidedBy.RULE}, None),
        ({"standing": ContentStatus.VISIBLE, "version": 2, "decided_by": DecidedBy.RULE}, None),
    ],
)
def test_under_review_names_rules_or_moderator_after_edit(
    changes: dict[str, Any], reviewer: str | None
) -> None:
    assert a_content(decided_version=1, **changes).under_review == reviewer


@pytest.mark.parametrize("standing", [ContentStatus.HIDDEN, ContentStatus.REMOVED])
def test_reversal_restores_content_of_its_decision(standing: ContentStatus) -> None:
    result = reverse_decision(a_content(standing=standing, decision_id=DECISION), a_reversal())
    assert result is not None
    assert (result[0].standing, type(result[1])) == (ContentStatus.VISIBLE, PostRestored)


@pytest.mark.parametrize(
    "content",
    [
        a_content(standing=ContentStatus.HIDDEN, decision_id=OTHER),
        a_content(standing=ContentStatus.REMOVED, reason="by_author"),
        a_content(standing=ContentStatus.HIDDEN, decision_id=DECISION, version=2),
        a_content(decision_id=DECISION),
    ],
    ids=["another decision hides it", "its author removed it", "edited since", "shown already"],
)
def test_reversal_ignores_other_decisions_and_versions(content: Content) -> None:
    assert reverse_decision(content, a_reversal()) is None


def test_removal_by_author_names_no_decision() -> None:
    removed = remove(a_content(standing=ContentStatus.HIDDEN, decision_id=DECISION), ZOE)
    assert removed is not None
    changed, fact = removed
    assert isinstance(fact, PostRemoved)
    assert (changed.decision_id, fact.decision_id, fact.reason) == (None, None, "by_author")


def test_status_change_of_comment_records_comment_event() -> None:
    assert isinstance(
        change_status(a_content(ContentKind.COMMENT), ContentStatus.HIDDEN)[1], CommentHidden
    )
