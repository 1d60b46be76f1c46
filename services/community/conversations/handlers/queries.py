"""Find contents and spaces that the actor may read."""

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
from shared.kit.core.unit_of_work import BatchedUnit, Caller, Unit


@dataclass(frozen=True, slots=True)
class ReadableContent:
    """A content that the actor may read, with its space and the actor's membership of it."""

    content: Content
    space: Space
    membership: Membership


@dataclass(frozen=True, slots=True)
class PostPage:
    """A page of posts that the actor may read; `last_id` starts the next page, None at the end."""

    posts: Sequence[Content]
    last_id: ContentId | None
    help_words: Mapping[ContentId, HelpWords]


@dataclass(frozen=True, slots=True)
class ReadableConversation:
    """The contents of a conversation that the actor may read, and help on the actor's own."""

    contents: Sequence[Content]
    help_words: Mapping[ContentId, HelpWords]


async def get_visible_space(
    deps: ConversationsDeps, unit: Unit | BatchedUnit, actor: Actor, space_id: SpaceId
) -> tuple[Space, Membership]:
    """Find a space that the actor may see, with the actor's membership. Raises `SpaceNotFound`."""
    space_and_membership = await deps.spaces.find_with_membership(
        unit, actor.tenant, space_id, actor.member_id
    )
    if space_and_membership is not None and isinstance(
        can_see(actor, *space_and_membership), Allowed
    ):
        return space_and_membership
    raise SpaceNotFound(space_id=space_id)


async def get_readable(
    deps: ConversationsDeps, unit: Unit | BatchedUnit, actor: Actor, content_id: ContentId
) -> ReadableContent:
    """Find a content that the actor may read. Raises `ContentNotFound`."""
    contents = await deps.contents.find(unit, actor.tenant, [content_id])
    return await _check_readable(deps, unit, actor, content_id, contents)


async def lock_readable(
    deps: ConversationsDeps, unit: Unit, actor: Actor, content_id: ContentId
) -> ReadableContent:
    """Find a content that the actor may read, and lock its row until the transaction ends.

    Raises `ContentNotFound`.
    """
    contents = await deps.contents.lock(unit, actor.tenant, [content_id])
    return await _check_readable(deps, unit, actor, content_id, contents)


async def _check_readable(
    deps: ConversationsDeps,
    unit: Unit | BatchedUnit,
    actor: Actor,
    content_id: ContentId,
    contents: Mapping[ContentId, Content],
) -> ReadableContent:
    content = contents.get(content_id)
    if content is None:
        raise ContentNotFound(content_id=content_id)
    space_and_membership = await deps.spaces.find_with_membership(
        unit, actor.tenant, content.space_id, actor.member_id
    )
    if space_and_membership is None:
        raise ContentNotFound(content_id=content_id)
    space, membership = space_and_membership
    if isinstance(may_read(actor, space, membership, content), Denied):
        raise ContentNotFound(content_id=content_id)
    return ReadableContent(content, space, membership)


async def read_conversation(
    deps: ConversationsDeps, caller: Caller, actor: Actor, content_id: ContentId
) -> ReadableConversation:
    """Read the conversation of a content, without contents that the actor may not read.

    Raises `ContentNotFound`.
    """
    async with deps.unit(caller) as unit:
        readable_content = await get_readable(deps, unit, actor, content_id)
        contents = await deps.conversations.list_contents(
            unit, caller.tenant, readable_content.content.root_id
        )
        readable = [
            content
            for content in contents
            if isinstance(
                may_read(actor, readable_content.space, readable_content.membership, content),
                Allowed,
            )
        ]
        return ReadableConversation(readable, await _find_help_words(deps, unit, actor, readable))


async def list_posts(
    deps: ConversationsDeps,
    caller: Caller,
    actor: Actor,
    space_id: SpaceId,
    before_id: ContentId | None,
    limit: int,
) -> PostPage:
    """List posts of a space that the actor may read, the newest first. Raises `SpaceNotFound`.

    `limit` counts rows before filtering: a page may hold fewer posts and still have a successor.
    """
    async with deps.unit(caller) as unit:
        space, membership = await get_visible_space(deps, unit, actor, space_id)
        posts = await deps.conversations.list_posts(unit, caller.tenant, space_id, before_id, limit)
        readable = [
            post for post in posts if isinstance(may_read(actor, space, membership, post), Allowed)
        ]
        last_id = posts[-1].content_id if len(posts) == limit else None
        return PostPage(readable, last_id, await _find_help_words(deps, unit, actor, readable))


async def _find_help_words(
    deps: ConversationsDeps, unit: Unit, actor: Actor, contents: Sequence[Content]
) -> dict[ContentId, HelpWords]:
    """Find the help messages on contents that this actor wrote; other readers get none."""
    own = [content.content_id for content in contents if content.author_id == actor.member_id]
    return await deps.help_offers.find(unit, actor.tenant, actor.member_id, own)
