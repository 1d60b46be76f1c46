"""Edit a content, or remove it (its author only)."""

from dataclasses import dataclass

from services.community.conversations.domain import Content, edit, remove
from services.community.conversations.handlers.queries import lock_readable
from services.community.conversations.handlers.rendering import render_content_html, with_html
from services.community.conversations.policy import may_change
from services.community.conversations.ports import ConversationsDeps
from shared.contracts.ids import ContentId
from shared.kit.core.policy import Actor, require_allowed
from shared.kit.core.unit_of_work import Caller


@dataclass(frozen=True)
class EditContent:
    """Replace the text of a content; `title=None` keeps the title."""

    content_id: ContentId
    body: str
    title: str | None = None


async def edit_content(
    deps: ConversationsDeps, caller: Caller, actor: Actor, command: EditContent
) -> Content:
    """Edit a content; an unchanged text changes nothing.

    Raises `ContentNotFound`, `ContentGone`, `TitleNotAllowed`, `Forbidden`.
    """
    html = await render_content_html(command.body)
    async with deps.unit(caller) as unit:
        readable = await lock_readable(deps, unit, actor, command.content_id)
        require_allowed(may_change(actor, readable.content))
        edited = edit(readable.content, command.title, command.body, unit.now)
        if edited is None:
            return readable.content
        changed, fact = edited
        changed = with_html(changed, html)
        await deps.contents.update(unit, changed)
        unit.record(fact)
        return changed


async def remove_content(
    deps: ConversationsDeps, caller: Caller, actor: Actor, content_id: ContentId
) -> Content:
    """Remove a content; a tombstone and its replies stay. Raises `ContentNotFound`, `Forbidden`."""
    async with deps.unit(caller) as unit:
        readable = await lock_readable(deps, unit, actor, content_id)
        require_allowed(may_change(actor, readable.content))
        removed = remove(readable.content, actor.member_id)
        if removed is None:
            return readable.content
        changed, fact = removed
        await deps.contents.update(unit, changed)
        unit.record(fact)
        return changed
