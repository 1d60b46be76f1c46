"""Who may say what, and change what was said."""

from services.community.conversations.domain import Content, ContentStatus
from services.community.spaces.domain import Membership as InSpace
from services.community.spaces.domain import Space
from services.community.spaces.handlers.access import can_see, manages
from shared.contracts.community import ContentKind
from shared.contracts.identity import Role
from shared.kit.core.policy import Actor, Allowed, Denied, Verdict


def may_publish(actor: Actor, space: Space, membership: InSpace, kind: ContentKind) -> Verdict:
    """Members of the space; announcements only by who animates it or stands above it."""
    above = manages(actor, space)
    if kind is ContentKind.ANNOUNCEMENT and not (above or membership.role == "animator"):
        return Denied("announce.animator")
    if membership.is_member or above:
        return Allowed("post.member")
    return Denied("post.member")


def may_read(actor: Actor, space: Space, membership: InSpace, content: Content) -> Verdict:
    """Whoever sees the space; what is hidden, its author and moderators only."""
    seen = can_see(actor, space, membership)
    if isinstance(seen, Denied) or content.standing is not ContentStatus.HIDDEN:
        return seen
    if actor.member_id == content.author_id:
        return Allowed("read.author")
    if actor.holds([Role.MODERATOR, Role.ADMINISTRATOR], within=space.ancestry):
        return Allowed("read.moderator")
    return Denied("read.hidden")


def may_change(actor: Actor, content: Content) -> Verdict:
    """The author."""
    if content.author_id is not None and actor.member_id == content.author_id:
        return Allowed("edit.author")
    return Denied("edit.author")


def may_accept(actor: Actor, question: Content, membership: InSpace) -> Verdict:
    """The asker, or the space's animator."""
    if actor.member_id == question.author_id:
        return Allowed("accept.asker")
    if membership.role == "animator":
        return Allowed("accept.animator")
    return Denied("accept.asker")


def may_flag(actor: Actor, content: Content, membership: InSpace) -> Verdict:
    """Members of the space, never one's own."""
    if actor.member_id == content.author_id:
        return Denied("flag.not_own")
    if membership.is_member:
        return Allowed("flag.member")
    return Denied("flag.member")
