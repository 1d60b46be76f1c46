"""Hide, remove and restore contents, by their author or by a moderation decision."""

from dataclasses import replace

from services.community.conversations.domain.content import Content, ContentStatus
from shared.contracts.community import (
    CommentHidden,
    CommentRemoved,
    CommentRestored,
    ContentKind,
    PostHidden,
    PostRemoved,
    PostRestored,
)
from shared.contracts.event import Fact
from shared.contracts.ids import MemberId
from shared.contracts.moderation import Action, DecidedBy, DecisionMade, DecisionReversed

_FACTS_BY_STATUS: dict[
    ContentStatus, tuple[type[PostHidden | PostRemoved | PostRestored], type[Fact]]
] = {
    ContentStatus.HIDDEN: (PostHidden, CommentHidden),
    ContentStatus.REMOVED: (PostRemoved, CommentRemoved),
    ContentStatus.VISIBLE: (PostRestored, CommentRestored),
}


def change_status(
    content: Content,
    status: ContentStatus,
    *,
    reason: str | None = None,
    by: MemberId | None = None,
    decision: DecisionMade | DecisionReversed | None = None,
) -> tuple[Content, Fact]:
    """Hide, remove or restore a content; returns the changed content and its event."""
    changed = replace(
        content,
        standing=status,
        reason=reason,
        decision_id=decision.decision_id if decision else None,
        decided_by=_decided_by(decision),
        decided_version=decision.ref.version if decision else None,
    )
    post, comment = _FACTS_BY_STATUS[status]
    fact = comment if content.kind is ContentKind.COMMENT else post
    return changed, fact(
        ref=content.ref,
        space_id=content.space_id,
        structure_id=content.structure_id,
        author=content.author,
        by=by,
        reason=reason,
        decision_id=changed.decision_id,
    )


def remove(content: Content, by: MemberId) -> tuple[Content, Fact] | None:
    """Remove a content as its author; None when it is already removed."""
    if content.standing is ContentStatus.REMOVED:
        return None
    return change_status(content, ContentStatus.REMOVED, reason="by_author", by=by)


_STATUS_BY_ACTION = {
    Action.HIDE: ContentStatus.HIDDEN,
    Action.REMOVE: ContentStatus.REMOVED,
    Action.KEEP: ContentStatus.VISIBLE,
}


def apply_decision(content: Content, decision: DecisionMade) -> tuple[Content, Fact | None] | None:
    """Apply a moderation decision to a content; None when the decision changes nothing.

    The event is None when the content already has the decided status. A removed content stays
    removed. A rule's decision, and every `keep`, apply only to the version that was judged, because
    a later version may have another text. A moderator's `hide` or `remove` also applies to later
    versions.
    """
    is_judged_version = decision.ref.version == content.version
    if not is_judged_version and (
        decision.decided_by is DecidedBy.RULE or decision.action is Action.KEEP
    ):
        return None
    status = _STATUS_BY_ACTION[decision.action]
    if (
        content.standing is ContentStatus.REMOVED
        or content.standing is status is ContentStatus.VISIBLE
    ):
        return None
    changed, fact = change_status(
        content, status, reason=decision.reason, by=decision.moderator_id, decision=decision
    )
    # An already hidden content still stores this decision: an appeal must reverse the latest one.
    return changed, None if content.standing is status else fact


def reverse_decision(content: Content, reversal: DecisionReversed) -> tuple[Content, Fact] | None:
    """Restore what a decision hid or removed; None if another decision or version replaced it."""
    is_current = (content.decision_id, content.version) == (
        reversal.decision_id,
        reversal.ref.version,
    )
    if not is_current or content.standing is ContentStatus.VISIBLE:
        return None
    return change_status(
        content, ContentStatus.VISIBLE, reason="appeal", by=reversal.moderator_id, decision=reversal
    )


def _decided_by(decision: DecisionMade | DecisionReversed | None) -> DecidedBy | None:
    if isinstance(decision, DecisionMade):
        return decision.decided_by
    return DecidedBy.MEMBER if decision else None
