"""Rights to read, publish, change, accept and flag contents."""

from services.community.conversations.domain import Content, ContentStatus
from services.community.spaces.domain import Membership, Space
from services.community.spaces.handlers.access import can_see, manages
from shared.contracts.community import ContentKind
from shared.contracts.identity import Role
from shared.kit.core.policy import Actor, Allowed, Denied, Verdict


def may_publish(actor: Actor, space: Space, membership: Membership, kind: ContentKind) -> Verdict:
    """Allow members of the space and its managers; announcements need an animator or a manager."""
    is_manager = manages(actor, space)
    if kind is ContentKind.ANNOUNCEMENT and not (is_manager or membership.role == "animator"):
        return Denied("announce.animator")
    if membership.is_member or is_manager:
        return Allowed("post.member")
    return Denied("post.member")


def may_read(actor: Actor, space: Space, membership: Membership, content: Content) -> Verdict:
    """Allow readers of the space; a hidden content only its author, moderators, administrators."""
    verdict = can_see(actor, space, membership)
    if isinstance(verdict, Denied) or content.standing is not ContentStatus.HIDDEN:
        return verdict
    if actor.member_id == content.author_id:
        return Allowed("read.author")
    if actor.holds([Role.MODERATOR, Role.ADMINISTRATOR], within=space.ancestry):
        return Allowed("read.moderator")
    return Denied("read.hidden")


def may_change(actor: Actor, content: Content) -> Verdict:
    """Allow the author."""
    if content.author_id is not None and actor.member_id == content.author_id:
        return Allowed("edit.author")
    return Denied("edit.author")


def may_accept(actor: Actor, question: Content, membership: Membership) -> Verdict:
    """Allow the author of the question, and the space's animator."""
    if actor.member_id == question.author_id:
        return Allowed("accept.asker")
    if membership.role == "animator":
        return Allowed("accept.animator")
    return Denied("accept.asker")


def may_flag(actor: Actor, content: Content, membership: Membership) -> Verdict:
    """Allow members of the space, except for their own contents."""
    if actor.member_id == content.author_id:
        return Denied("flag.not_own")
    if membership.is_member:
        return Allowed("flag.member")
    return Denied("flag.member")
