"""How a content comes to be hidden, removed or shown again: by its author, or by a decision."""

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

_MOVED: dict[ContentStatus, tuple[type[PostHidden | PostRemoved | PostRestored], type[Fact]]] = {
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
    """Hide, remove or show again, by its author or by a decision."""
    changed = replace(
        content,
        standing=status,
        reason=reason,
        decision_id=decision.decision_id if decision else None,
        decided_by=_decided_by(decision),
        decided_version=decision.ref.version if decision else None,
    )
    post, comment = _MOVED[status]
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
    """Remove it as its author does; None when it is removed already."""
    if content.standing is ContentStatus.REMOVED:
        return None
    return change_status(content, ContentStatus.REMOVED, reason="by_author", by=by)


_STANDINGS = {
    Action.HIDE: ContentStatus.HIDDEN,
    Action.REMOVE: ContentStatus.REMOVED,
    Action.KEEP: ContentStatus.VISIBLE,
}


def apply_decision(content: Content, decision: DecisionMade) -> tuple[Content, Fact | None] | None:
    """Do what a decision says; None when it changes nothing, and what is removed stays removed.

    What a rule decided, and `keep` by whomever, holds for the version that was judged only: the
    text may be another one by now. A person's `hide` or `remove` holds for later versions, too.
    """
    judged = decision.ref.version == content.version
    if not judged and (decision.decided_by is DecidedBy.RULE or decision.action is Action.KEEP):
        return None
    standing = _STANDINGS[decision.action]
    if (
        content.standing is ContentStatus.REMOVED
        or content.standing is standing is ContentStatus.VISIBLE
    ):
        return None
    changed, fact = change_status(
        content, standing, reason=decision.reason, by=decision.moderator_id, decision=decision
    )
    # Hidden already: this decision is the one that an appeal must reverse now.
    return changed, None if content.standing is standing else fact


def reverse_decision(content: Content, reversal: DecisionReversed) -> tuple[Content, Fact] | None:
    """Show what a decision had hidden or removed; None when it stands otherwise by now."""
    same = (content.decision_id, content.version) == (reversal.decision_id, reversal.ref.version)
    if not same or content.standing is ContentStatus.VISIBLE:
        return None
    return change_status(
        content, ContentStatus.VISIBLE, reason="appeal", by=reversal.moderator_id, decision=reversal
    )


def _decided_by(decision: DecisionMade | DecisionReversed | None) -> DecidedBy | None:
    if isinstance(decision, DecisionMade):
        return decision.decided_by
    return DecidedBy.MEMBER if decision else None
