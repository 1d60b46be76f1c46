"""HTML is made when a text is written and kept beside it; a read makes it only of older rules."""

import asyncio
from dataclasses import replace
from typing import Final

from services.community.conversations.domain import Content, ContentStatus
from shared.kit.text.markup import HTML_VERSION, render_html

MAX_INLINE_CHARACTERS: Final = 4_000
"""Characters that are rendered in the event loop: milliseconds at worst. More go to a thread."""


async def render_content_html(body: str, format_: str = "markdown") -> str:
    """Return the HTML to keep of a text; call it before a unit opens, not within one."""
    if len(body) <= MAX_INLINE_CHARACTERS:
        return render_html(body, format_)
    return await asyncio.to_thread(render_html, body, format_)


def with_html(content: Content, html: str) -> Content:
    """Put the HTML that was made of this text beside it."""
    return replace(content, html=html, html_version=HTML_VERSION)


async def html_for_readers(content: Content) -> str:
    """Return the HTML that readers get: as kept, or made again when the rules have changed."""
    if content.standing is ContentStatus.REMOVED:
        return ""
    if content.html_version == HTML_VERSION:
        return content.html
    return await render_content_html(content.body, content.format)
