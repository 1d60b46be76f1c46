"""HTML is made when a text is written and kept beside it; a read makes it only of older rules."""

import asyncio
from dataclasses import replace
from typing import Final

from services.community.conversations.domain import Content, Standing
from shared.kit.text.markup import HTML_VERSION, html_of

SHORT: Final = 4_000
"""Characters that are rendered in the event loop: milliseconds at worst. More go to a thread."""


async def render(body: str, format_: str = "markdown") -> str:
    """Give the HTML to keep of a text; call it before a unit opens, not within one."""
    if len(body) <= SHORT:
        return html_of(body, format_)
    return await asyncio.to_thread(html_of, body, format_)


def with_html(content: Content, html: str) -> Content:
    """Put the HTML that was made of this text beside it."""
    return replace(content, html=html, html_version=HTML_VERSION)


async def shown_html(content: Content) -> str:
    """Give the HTML that readers get: as kept, or made again when the rules have changed."""
    if content.standing is Standing.REMOVED:
        return ""
    if content.html_version == HTML_VERSION:
        return content.html
    return await render(content.body, content.format)
