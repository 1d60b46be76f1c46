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
    """The text that replaces the present one."""

    body: NonBlankStr = Field(min_length=1, max_length=MAX_BODY_CHARACTERS)
    title: NonBlankStr | None = Field(default=None, min_length=1, max_length=MAX_TITLE_CHARACTERS)


class NewFlag(ApiModel):
    """Why a content is reported, and at which version it was read (by default the latest).

    What its author edited or took back since may still be reported.
    """

    version: int | None = Field(default=None, ge=1, le=2**31 - 1)
    reason: Literal["insult", "harassment", "personal_data", "spam", "violence", "other"]


class ContentShown(ApiModel):
    """A content. Of a removed one only the tombstone is left. `html` is cleaned.

    `under_review` says who still has to look at the new text of a hidden content: the rules, within
    seconds, or a moderator. `help` holds words for the content's author, whom nobody else sees.
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
    """A post and all below it, in the order they were written."""

    items: list[ContentShown]


async def _shown(
    content: Content, help_words: HelpWords | None = None, accept_language: str = ""
) -> ContentShown:
    gone = content.standing is ContentStatus.REMOVED
    body = "" if gone else content.body
    return ContentShown(
        content_id=content.content_id,
        kind=content.kind,
        root_id=content.root_id,
        parent_id=content.parent_id,
        space_id=content.space_id,
        author_id=content.author_id,
        title=None if gone else content.title,
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
        help=_words(help_words, accept_language),
    )


def _words(words: HelpWords | None, accept_language: str) -> str | None:
    if words is None:
        return None
    return words.fr if preferred_language(accept_language) == "fr" else words.en


def routes(deps: ConversationsDeps) -> Routes:
    """Build the routes of this feature."""
    found = Routes("conversations")
    _reading(found, deps)
    _writing(found, deps)
    _responding(found, deps)
    return found


def _reading(found: Routes, deps: ConversationsDeps) -> None:
    @found.get("/spaces/{space_id}/posts", action="post.list")
    async def posts(
        caller: CallerDep,
        actor: ActorDep,
        space_id: SpaceId,
        limit: PageLimit = 20,
        cursor: str | None = None,
        accept_language: AcceptLanguage = "",
    ) -> Page[ContentShown]:
        before = ContentId(decode(cursor, UUID)[0]) if cursor else None
        listed = await list_posts(deps, caller, actor, space_id, before, limit)
        more = encode(listed.last_id) if listed.last_id else None
        items = [
            await _shown(post, listed.help_words.get(post.content_id), accept_language)
            for post in listed.posts
        ]
        return Page(items=items, next=more)

    @found.get("/contents/{content_id}", action="content.read")
    async def conversation(
        caller: CallerDep,
        actor: ActorDep,
        content_id: ContentId,
        accept_language: AcceptLanguage = "",
    ) -> Conversation:
        read = await read_conversation(deps, caller, actor, content_id)
        return Conversation(
            items=[
                await _shown(each, read.help_words.get(each.content_id), accept_language)
                for each in read.contents
            ]
        )


def _writing(found: Routes, deps: ConversationsDeps) -> None:
    @found.post("/spaces/{space_id}/posts", action="post.publish", batched=True, status_code=201)
    async def publish(
        caller: CallerDep, actor: ActorDep, space_id: SpaceId, new: NewPost
    ) -> ContentShown:
        command = PublishPost(space_id, ContentKind(new.kind), new.title, new.body)
        return await _shown(await publish_post(deps, caller, actor, command))

    @found.post(
        "/contents/{content_id}/answers", action="answer.publish", batched=True, status_code=201
    )
    async def answer(
        caller: CallerDep, actor: ActorDep, content_id: ContentId, new: NewReply
    ) -> ContentShown:
        command = Reply(content_id, ContentKind.ANSWER, new.body)
        return await _shown(await reply(deps, caller, actor, command))

    @found.post(
        "/contents/{content_id}/comments", action="comment.publish", batched=True, status_code=201
    )
    async def comment(
        caller: CallerDep, actor: ActorDep, content_id: ContentId, new: NewReply
    ) -> ContentShown:
        command = Reply(content_id, ContentKind.COMMENT, new.body)
        return await _shown(await reply(deps, caller, actor, command))

    @found.put("/contents/{content_id}", action="content.edit")
    async def edit(
        caller: CallerDep, actor: ActorDep, content_id: ContentId, new: NewText
    ) -> ContentShown:
        command = EditContent(content_id, new.body, new.title)
        return await _shown(await edit_content(deps, caller, actor, command))

    @found.delete("/contents/{content_id}", action="content.remove")
    async def remove(caller: CallerDep, actor: ActorDep, content_id: ContentId) -> ContentShown:
        return await _shown(await remove_content(deps, caller, actor, content_id))


def _responding(found: Routes, deps: ConversationsDeps) -> None:
    @found.post("/contents/{content_id}/accept", action="answer.accept")
    async def accept(caller: CallerDep, actor: ActorDep, content_id: ContentId) -> ContentShown:
        return await _shown(await accept_answer(deps, caller, actor, content_id))

    @found.post("/contents/{content_id}/flags", action="content.flag", status_code=204)
    async def flag(
        caller: CallerDep, actor: ActorDep, content_id: ContentId, new: NewFlag
    ) -> Response:
        await flag_content(deps, caller, actor, FlagContent(content_id, new.reason, new.version))
        return Response(status_code=204)
