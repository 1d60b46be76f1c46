"""HTML is rendered when a text is written, and stored with it."""

import asyncio

from services.community.conversations.domain import ContentStatus, change_status, edit
from services.community.conversations.handlers.rendering import (
    MAX_INLINE_CHARACTERS,
    html_for_readers,
    render_content_html,
    with_html,
)
from shared.contracts.example_data import NOON
from shared.kit.text.markup import HTML_VERSION
from tests.community.conversations.builders import a_content


async def test_stored_html_is_returned_without_rendering() -> None:
    content = with_html(a_content(body="*neuf*"), "<p>gardé</p>")
    assert content.html_version == HTML_VERSION
    assert await html_for_readers(content) == "<p>gardé</p>"


async def test_html_of_older_version_is_rendered_again() -> None:
    old = a_content(body="*neuf*", html="<p>ancien</p>", html_version=HTML_VERSION - 1)
    assert await html_for_readers(old) == "<p><em>neuf</em></p>\n"
    imported = a_content(body="<i>neuf", format="html")
    assert await html_for_readers(imported) == "<i>neuf</i>"


async def test_removed_content_has_no_html() -> None:
    removal = change_status(with_html(a_content(), "<p>gardé</p>"), ContentStatus.REMOVED)
    assert removal is not None
    assert await html_for_readers(removal[0]) == ""


async def test_edit_discards_stored_html() -> None:
    edited = edit(with_html(a_content(), "<p>gardé</p>"), None, "*autre*", NOON)
    assert edited is not None
    assert edited[0].html_version != HTML_VERSION
    assert await html_for_readers(edited[0]) == "<p><em>autre</em></p>\n"


async def test_long_text_is_rendered_outside_the_event_loop() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    ticks_before = ticks
    await render_content_html("é" * MAX_INLINE_CHARACTERS)
    assert ticks == ticks_before, "a short text takes no turn of the loop"
    await render_content_html("é" * (MAX_INLINE_CHARACTERS + 1))
    assert ticks > ticks_before
    ticking.cancel()
