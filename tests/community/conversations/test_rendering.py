"""HTML is made when a text is written, and read as it was kept."""

import asyncio

from services.community.conversations.domain import Standing, edit, move
from services.community.conversations.handlers.rendering import (
    SHORT,
    render,
    shown_html,
    with_html,
)
from shared.contracts.cast import NOON
from shared.kit.text.markup import HTML_VERSION
from tests.community.conversations.builders import a_content


async def test_kept_html_is_shown_without_rendering() -> None:
    content = with_html(a_content(body="*neuf*"), "<p>gardé</p>")
    assert content.html_version == HTML_VERSION
    assert await shown_html(content) == "<p>gardé</p>"


async def test_html_of_older_rules_is_made_again() -> None:
    old = a_content(body="*neuf*", html="<p>ancien</p>", html_version=HTML_VERSION - 1)
    assert await shown_html(old) == "<p><em>neuf</em></p>\n"
    imported = a_content(body="<i>neuf", format="html")
    assert await shown_html(imported) == "<i>neuf</i>"


async def test_nothing_is_shown_of_what_was_removed() -> None:
    moved = move(with_html(a_content(), "<p>gardé</p>"), Standing.REMOVED)
    assert moved is not None
    assert await shown_html(moved[0]) == ""


async def test_edited_text_has_no_html_until_it_is_made() -> None:
    edited = edit(with_html(a_content(), "<p>gardé</p>"), None, "*autre*", NOON)
    assert edited is not None
    assert edited[0].html_version != HTML_VERSION
    assert await shown_html(edited[0]) == "<p><em>autre</em></p>\n"


async def test_long_text_is_rendered_outside_of_the_event_loop() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    before = ticks
    await render("é" * SHORT)
    assert ticks == before, "a short text takes no turn of the loop"
    await render("é" * (SHORT + 1))
    assert ticks > before
    ticking.cancel()
