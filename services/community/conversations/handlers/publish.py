"""Publish a post, an answer or a comment."""

from dataclasses import dataclass

from services.community.conversations.domain import (
    Content,
    check_not_removed,
    check_parent,
    published_fact,
)
from services.community.conversations.handlers.queries import get_readable, get_visible_space
from services.community.conversations.handlers.rendering import render_content_html
from services.community.conversations.policy import may_publish
from services.community.conversations.ports import ConversationsDeps
from services.community.spaces.domain import Space
from shared.contracts.community import ContentKind
from shared.contracts.ids import ContentId, SpaceId
from shared.kit.core.policy import Actor, require_allowed
from shared.kit.core.unit_of_work import BatchedUnit, Caller, Unit
from shared.kit.text.markup import HTML_VERSION


@dataclass(frozen=True)
class PublishPost:
    """Publish a root post in a space."""

    space_id: SpaceId
    kind: ContentKind
    title: str
    body: str


@dataclass(frozen=True)
class Reply:
    """Answer a question, or comment on a post or an answer."""

    parent_id: ContentId
    kind: ContentKind
    body: str


async def publish_post(
    deps: ConversationsDeps, caller: Caller, actor: Actor, command: PublishPost
) -> Content:
    """Publish a post in a space; post and event are written in one atomic statement.

    The HTML is rendered before the unit opens. Raises `SpaceNotFound`, `WrongParent`, `Forbidden`.
    """
    html = await render_content_html(command.body)
    async with deps.batched(caller) as unit:
        space, membership = await get_visible_space(deps, unit, actor, command.space_id)
        require_allowed(may_publish(actor, space, membership, command.kind))
        return await _publish(
            deps, unit, actor, space, command.kind, command.body, html, command.title, None
        )


async def reply(deps: ConversationsDeps, caller: Caller, actor: Actor, command: Reply) -> Content:
    """Publish an answer or a comment; it and its event are written in one atomic statement.

    Raises `ContentNotFound`, `ContentGone`, `WrongParent`, `Forbidden`.
    """
    html = await render_content_html(command.body)
    async with deps.batched(caller) as unit:
        parent = await get_readable(deps, unit, actor, command.parent_id)
        check_not_removed(parent.content)
        root = parent.content.root_id
        if root != command.parent_id:
            check_not_removed(*(await deps.contents.find(unit, caller.tenant, [root])).values())
        require_allowed(may_publish(actor, parent.space, parent.membership, command.kind))
        return await _publish(
            deps, unit, actor, parent.space, command.kind, command.body, html, None, parent.content
        )


async def _publish(  # noqa: PLR0913, PLR0917  the parts of a content
    deps: ConversationsDeps,
    unit: Unit | BatchedUnit,
    actor: Actor,
    space: Space,
    kind: ContentKind,
    body: str,
    html: str,
    title: str | None,
    parent: Content | None,
) -> Content:
    check_parent(kind, parent)
    content_id = ContentId(deps.new_id())
    content = Content(
        tenant_id=actor.tenant,
        content_id=content_id,
        kind=kind,
        root_id=parent.root_id if parent else content_id,
        parent_id=parent.content_id if parent else None,
        space_id=space.space_id,
        structure_id=space.structure_id,
        title=title,
        body=body,
        html=html,
        html_version=HTML_VERSION,
        created_at=unit.now,
        author_id=actor.member_id,
        author_structure=actor.structure_id,
        author_role=actor.role,
    )
    await deps.contents.add(unit, [content])
    unit.record(published_fact(content, parent.author if parent else None))
    return content
