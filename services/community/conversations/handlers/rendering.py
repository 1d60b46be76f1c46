"""Render contents to HTML when they are written; render again when the rules have changed since."""

import asyncio
from dataclasses import replace
from typing import Final

from services.community.conversations.domain import Content, ContentStatus
from shared.kit.text.markup import HTML_VERSION, render_html

MAX_INLINE_CHARACTERS: Final = 4_000
"""Longest text that is rendered in the event loop, which takes a few milliseconds at most."""


async def render_content_html(body: str, format_: str = "markdown") -> str:
    """Render a text to sanitised HTML; call it before a unit opens, since it takes milliseconds.

    Texts longer than `MAX_INLINE_CHARACTERS` are rendered in a thread.
    """
    if len(body) <= MAX_INLINE_CHARACTERS:
        return render_html(body, format_)
    return await asyncio.to_thread(render_html, body, format_)


def with_html(content: Content, html: str) -> Content:
    """Return the content with HTML that was rendered from its text."""
    return replace(content, html=html, html_version=HTML_VERSION)


async def html_for_readers(content: Content) -> str:
    """Return the HTML of a content: stored, or rendered again if it was made by older rules."""
    if content.standing is ContentStatus.REMOVED:
        return ""
    if content.html_version == HTML_VERSION:
        return content.html
    return await render_content_html(content.body, content.format)
