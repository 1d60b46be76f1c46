"""HTML is made once, when a text is written, and kept beside it."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from shared.kit.text.markup import HTML_VERSION
from tests.support.platform_harness import Json, PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]

_KEPT = sa.text("SELECT html, html_version FROM contents WHERE content_id = :content")
_MARKED = sa.text(
    "UPDATE contents SET html = '<p>gardé</p>', html_version = :version WHERE content_id = :content"
)
_LONG = "*é* " * 1_200


async def _kept(world: PlatformHarness, content: str) -> tuple[str, int]:
    database = world.services["community"].service.database
    (row,) = await database.execute_once(_KEPT, [world.seeded.tenant], content=content)
    return row.html, row.html_version


async def _mark(world: PlatformHarness, content: str, version: int) -> None:
    database = world.services["community"].service.database
    values = {"content": content, "version": version}
    await database.execute_once(_MARKED, [world.seeded.tenant], **values)


async def _shown(world: PlatformHarness, content: str) -> Json:
    items = (await world.request_ok("zoe", "GET", f"/community/v1/contents/{content}"))["items"]
    return next(item for item in items if item["content_id"] == content)


@pytest.mark.parametrize("body", ["*é*", _LONG])
async def test_published_text_is_kept_with_its_html(world: PlatformHarness, body: str) -> None:
    post = await world.publish_post("zoe", await world.open_space("zoe"), body)
    reply = await world.publish_reply("zoe", post, body)
    for content in (post, reply):
        html, version = await _kept(world, content)
        assert html.startswith("<p><em>é</em>")
        assert version == HTML_VERSION
        assert (await _shown(world, content))["html"] == html


async def test_reads_show_kept_html_and_never_render(world: PlatformHarness) -> None:
    space = await world.open_space("zoe")
    post = await world.publish_post("zoe", space, "*é*")
    await _mark(world, post, HTML_VERSION)
    assert (await _shown(world, post))["html"] == "<p>gardé</p>"
    posts = (await world.request_ok("zoe", "GET", f"/community/v1/spaces/{space}/posts"))["items"]
    assert posts[0]["html"] == "<p>gardé</p>"
    await _mark(world, post, HTML_VERSION - 1)
    assert (await _shown(world, post))["html"] == "<p><em>é</em></p>\n", "of older rules"


async def test_edited_text_is_kept_with_new_html(world: PlatformHarness) -> None:
    post = await world.publish_post("zoe", await world.open_space("zoe"), "*é*")
    path = f"/community/v1/contents/{post}"
    edited = await world.request_ok("zoe", "PUT", path, {"body": "**è**"})
    assert edited["html"] == "<p><strong>è</strong></p>\n"
    assert await _kept(world, post) == (edited["html"], HTML_VERSION)


async def test_imported_html_is_kept_clean(world: PlatformHarness) -> None:
    line = {
        "outside_id": "post:1",
        "kind": "discussion",
        "title": "É",
        "body": "<p>chat<img src=https://e.fr/a.png alt=noir><script>x()</script>",
        "created_at": datetime(2020, 1, 1, tzinfo=UTC).isoformat(),
    }
    space = await world.open_space("zoe")
    chunk = {"space_id": space, "source": f"essai:{space}", "lines": [line]}
    await world.request_ok("anne", "POST", "/community/v1/imports", chunk)
    posts = (await world.request_ok("zoe", "GET", f"/community/v1/spaces/{space}/posts"))["items"]
    html, version = await _kept(world, posts[0]["content_id"])
    assert version == HTML_VERSION
    assert html == posts[0]["html"]
    assert "<script" not in html
    assert "<img" not in html
    assert 'href="https://e.fr/a.png"' in html
