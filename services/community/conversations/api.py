"""`/v1/spaces/{id}/posts` and `/v1/contents/…`."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Header, Response
from pydantic import Field

from services.community.conversations.domain import (
    MAX_BODY_CHARACTERS,
    MAX_TITLE_CHARACTERS,
    Content,
    ContentStatus,
)
from services.community.conversations.handlers.change import (
    EditContent,
    edit_content,
    remove_content,
)
from services.community.conversations.handlers.publish import (
    PublishPost,
    Reply,
    publish_post,
    reply,
)
from services.community.conversations.handlers.queries import list_posts, read_conversation
from services.community.conversations.handlers.rendering import html_for_readers
from services.community.conversations.handlers.respond import (
    FlagContent,
    accept_answer,
    flag_content,
)
from services.community.conversations.ports import ConversationsDeps
from shared.contracts.community import ContentKind
from shared.contracts.ids import ContentId, MemberId, SpaceId
from shared.contracts.moderation import HelpWords
from shared.kit.web.context import ActorDep, CallerDep
from shared.kit.web.cursors import ApiModel, Page, PageLimit, decode, encode
from shared.kit.web.fields import NonBlankStr
from shared.kit.web.messages import preferred_language
from shared.kit.web.routes import Routes

AcceptLanguage = Annotated[str, Header()]


class NewPost(ApiModel):
    """A post to publish; Markdown."""

    kind: Literal["discussion", "question", "announcement"] = "discussion"
    title: NonBlankStr = Field(
        min_length=1, max_length=MAX_TITLE_CHARACTERS, examples=["Un verbe au subjonctif ?"]
    )
    body: NonBlankStr = Field(
        min_length=1, max_length=MAX_BODY_CHARACTERS, examples=["« Bien que » est suivi de…"]
    )


class NewReply(ApiModel):
    """An answer or a comment; Markdown."""

    body: NonBlankStr = Field(
        min_length=1, max_length=MAX_BODY_CHARACTERS, examples=["Oui, du subjonctif. 👍"]
    )


class NewText(ApiModel):
    """The text that replaces the current one."""

    body: NonBlankStr = Field(min_length=1, max_length=MAX_BODY_CHARACTERS)
    title: NonBlankStr | None = Field(default=None, min_length=1, max_length=MAX_TITLE_CHARACTERS)


class NewFlag(ApiModel):
    """Why a content is reported, and the version that was read (by default the latest).

    A content that its author has edited or removed since can still be reported.
    """

    version: int | None = Field(default=None, ge=1, le=2**31 - 1)
    reason: Literal["insult", "harassment", "personal_data", "spam", "violence", "other"]


class ContentShown(ApiModel):
    """A content. A removed content has no title and no text. `html` is sanitised.

    `under_review` says what must still check the new text of a hidden content: the rules (within
    seconds) or a moderator. `help` is a message for the content's author; other readers get none.
    """

    content_id: ContentId
    kind: ContentKind
    root_id: ContentId
    parent_id: ContentId | None
    space_id: SpaceId
    author_id: MemberId | None
    title: str | None
    body: str
    html: str
    version: int
    standing: ContentStatus
    reason: str | None
    decision_id: UUID | None
    accepted_id: ContentId | None
    created_at: datetime
    edited_at: datetime | None
    under_review: Literal["rules", "moderator"] | None = None
    help: str | None = None


class Conversation(ApiModel):
    """A post with its answers and comments, in the order they were written."""

    items: list[ContentShown]


async def _to_response(
    content: Content, help_words: HelpWords | None = None, accept_language: str = ""
) -> ContentShown:
    is_removed = content.standing is ContentStatus.REMOVED
    body = "" if is_removed else content.body
    return ContentShown(
        content_id=content.content_id,
        kind=content.kind,
        root_id=content.root_id,
        parent_id=content.parent_id,
        space_id=content.space_id,
        author_id=content.author_id,
        title=None if is_removed else content.title,
        body=body,
        html=await html_for_readers(content),
        version=content.version,
        standing=content.standing,
        reason=content.reason,
        decision_id=content.decision_id,
        accepted_id=content.accepted_id,
        created_at=content.created_at,
        edited_at=content.edited_at,
        under_review=content.under_review,
        help=_choose_language(help_words, accept_language),
    )


def _choose_language(words: HelpWords | None, accept_language: str) -> str | None:
    if words is None:
        return None
    return words.fr if preferred_language(accept_language) == "fr" else words.en


def routes(deps: ConversationsDeps) -> Routes:
    """Build the routes of conversations."""
    router = Routes("conversations")
    _add_reading_routes(router, deps)
    _add_writing_routes(router, deps)
    _add_responding_routes(router, deps)
    return router


def _add_reading_routes(router: Routes, deps: ConversationsDeps) -> None:
    @router.get("/spaces/{space_id}/posts", action="post.list")
    async def posts(
        caller: CallerDep,
        actor: ActorDep,
        space_id: SpaceId,
        limit: PageLimit = 20,
        cursor: str | None = None,
        accept_language: AcceptLanguage = "",
    ) -> Page[ContentShown]:
        before_id = ContentId(decode(cursor, UUID)[0]) if cursor else None
        page = await list_posts(deps, caller, actor, space_id, before_id, limit)
        next_cursor = encode(page.last_id) if page.last_id else None
        items = [
            await _to_response(post, page.help_words.get(post.content_id), accept_language)
            for post in page.posts
        ]
        return Page(items=items, next=next_cursor)

    @router.get("/contents/{content_id}", action="content.read")
    async def conversation(
        caller: CallerDep,
        actor: ActorDep,
        content_id: ContentId,
        accept_language: AcceptLanguage = "",
    ) -> Conversation:
        readable = await read_conversation(deps, caller, actor, content_id)
        return Conversation(
            items=[
                await _to_response(
                    content, readable.help_words.get(content.content_id), accept_language
                )
                for content in readable.contents
            ]
        )


def _add_writing_routes(router: Routes, deps: ConversationsDeps) -> None:
    @router.post("/spaces/{space_id}/posts", action="post.publish", batched=True, status_code=201)
    async def publish(
        caller: CallerDep, actor: ActorDep, space_id: SpaceId, new: NewPost
    ) -> ContentShown:
        command = PublishPost(space_id, ContentKind(new.kind), new.title, new.body)
        return await _to_response(await publish_post(deps, caller, actor, command))

    @router.post(
        "/contents/{content_id}/answers", action="answer.publish", batched=True, status_code=201
    )
    async def answer(
        caller: CallerDep, actor: ActorDep, content_id: ContentId, new: NewReply
    ) -> ContentShown:
        command = Reply(content_id, ContentKind.ANSWER, new.body)
        return await _to_response(await reply(deps, caller, actor, command))

    @router.post(
        "/contents/{content_id}/comments", action="comment.publish", batched=True, status_code=201
    )
    async def comment(
        caller: CallerDep, actor: ActorDep, content_id: ContentId, new: NewReply
    ) -> ContentShown:
        command = Reply(content_id, ContentKind.COMMENT, new.body)
        return await _to_response(await reply(deps, caller, actor, command))

    @router.put("/contents/{content_id}", action="content.edit")
    async def edit(
        caller: CallerDep, actor: ActorDep, content_id: ContentId, new: NewText
    ) -> ContentShown:
        command = EditContent(content_id, new.body, new.title)
        return await _to_response(await edit_content(deps, caller, actor, command))

    @router.delete("/contents/{content_id}", action="content.remove")
    async def remove(caller: CallerDep, actor: ActorDep, content_id: ContentId) -> ContentShown:
        return await _to_response(await remove_content(deps, caller, actor, content_id))


def _add_responding_routes(router: Routes, deps: ConversationsDeps) -> None:
    @router.post("/contents/{content_id}/accept", action="answer.accept")
    async def accept(caller: CallerDep, actor: ActorDep, content_id: ContentId) -> ContentShown:
        return await _to_response(await accept_answer(deps, caller, actor, content_id))

    @router.post("/contents/{content_id}/flags", action="content.flag", status_code=204)
    async def flag(
        caller: CallerDep, actor: ActorDep, content_id: ContentId, new: NewFlag
    ) -> Response:
        await flag_content(deps, caller, actor, FlagContent(content_id, new.reason, new.version))
        return Response(status_code=204)
