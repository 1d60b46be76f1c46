"""Finding a content together with its space, as someone may see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.community.conversations.domain import Content, ContentNotFound
from services.community.conversations.policy import may_read
from services.community.conversations.ports import ConversationsDeps
from services.community.spaces.domain import Membership, Space, SpaceNotFound
from services.community.spaces.handlers.access import can_see
from shared.contracts.ids import ContentId, SpaceId
from shared.contracts.moderation import HelpWords
from shared.kit.core.policy import Actor, Allowed, Denied
from shared.kit.core.unit_of_work import Caller, Unit


@dataclass(frozen=True, slots=True)
class ReadableContent:
    """A content, where it stands, and what the reader is to that space."""

    content: Content
    space: Space
    membership: Membership


@dataclass(frozen=True, slots=True)
class PostPage:
    """Posts, and where the next page begins: what is hidden takes its place on a page, too."""

    posts: Sequence[Content]
    last_id: ContentId | None
    help_words: Mapping[ContentId, HelpWords]


@dataclass(frozen=True, slots=True)
class ReadableConversation:
    """What a reader may see of a conversation, and the words of help on contents of their own."""

    contents: Sequence[Content]
    help_words: Mapping[ContentId, HelpWords]


async def get_visible_space(
    deps: ConversationsDeps, unit: Unit, actor: Actor, space_id: SpaceId
) -> tuple[Space, Membership]:
    """Find a space that this actor sees. Raises `SpaceNotFound`."""
    found = await deps.spaces.find_with_membership(unit, actor.tenant, space_id, actor.member_id)
    if found is not None and isinstance(can_see(actor, *found), Allowed):
        return found
    raise SpaceNotFound(space_id=space_id)


async def get_readable(
    deps: ConversationsDeps,
    unit: Unit,
    actor: Actor,
    content_id: ContentId,
    *,
    lock: bool = False,
) -> ReadableContent:
    """Find a content that this actor may read. Raises `ContentNotFound`."""
    found = await deps.contents.find(unit, actor.tenant, [content_id], lock=lock)
    content = found.get(content_id)
    if content is None:
        raise ContentNotFound(content_id=content_id)
    where = await deps.spaces.find_with_membership(
        unit, actor.tenant, content.space_id, actor.member_id
    )
    if where is None:
        raise ContentNotFound(content_id=content_id)
    space, standing = where
    if isinstance(may_read(actor, space, standing, content), Denied):
        raise ContentNotFound(content_id=content_id)
    return ReadableContent(content, space, standing)


async def read_conversation(
    deps: ConversationsDeps, caller: Caller, actor: Actor, content_id: ContentId
) -> ReadableConversation:
    """Read the whole conversation that a content belongs to, without what is hidden from you."""
    async with deps.unit(caller) as unit:
        seen = await get_readable(deps, unit, actor, content_id)
        everything = await deps.contents.list_conversation(
            unit, caller.tenant, seen.content.root_id
        )
        readable = [
            each
            for each in everything
            if isinstance(may_read(actor, seen.space, seen.membership, each), Allowed)
        ]
        return ReadableConversation(readable, await _help(deps, unit, actor, readable))


async def list_posts(
    deps: ConversationsDeps,
    caller: Caller,
    actor: Actor,
    space_id: SpaceId,
    before: ContentId | None,
    limit: int,
) -> PostPage:
    """List a space's posts that this actor may read, the newest first."""
    async with deps.unit(caller) as unit:
        space, standing = await get_visible_space(deps, unit, actor, space_id)
        posts = await deps.contents.list_roots(unit, caller.tenant, space_id, before, limit)
        shown = [
            post for post in posts if isinstance(may_read(actor, space, standing, post), Allowed)
        ]
        last = posts[-1].content_id if len(posts) == limit else None
        return PostPage(shown, last, await _help(deps, unit, actor, shown))


async def _help(
    deps: ConversationsDeps, unit: Unit, actor: Actor, contents: Sequence[Content]
) -> dict[ContentId, HelpWords]:
    """Find the words of help on what this reader wrote; nobody else is shown them."""
    own = [each.content_id for each in contents if each.author_id == actor.member_id]
    return await deps.help_offers.find(unit, actor.tenant, actor.member_id, own)
