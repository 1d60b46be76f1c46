"""HTML is rendered once, when a text is written, and stored with it."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from shared.kit.text.markup import HTML_VERSION
from tests.support.platform_harness import Json, PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]

_READ_HTML = sa.text("SELECT html, html_version FROM contents WHERE content_id = :content")
_REPLACE_HTML = sa.text(
    "UPDATE contents SET html = '<p>gardé</p>', html_version = :version WHERE content_id = :content"
)
_LONG_TEXT = "*é* " * 1_200


async def _read_stored_html(platform: PlatformHarness, content: str) -> tuple[str, int]:
    database = platform.services["community"].service.database
    (row,) = await database.execute_once(_READ_HTML, [platform.seeded.tenant], content=content)
    return row.html, row.html_version


async def _replace_stored_html(platform: PlatformHarness, content: str, version: int) -> None:
    database = platform.services["community"].service.database
    values = {"content": content, "version": version}
    await database.execute_once(_REPLACE_HTML, [platform.seeded.tenant], **values)


async def _read_content(platform: PlatformHarness, content: str) -> Json:
    items = (await platform.request_ok("zoe", "GET", f"/community/v1/contents/{content}"))["items"]
    return next(item for item in items if item["content_id"] == content)


@pytest.mark.parametrize("body", ["*é*", _LONG_TEXT])
async def test_published_text_is_stored_with_its_html(platform: PlatformHarness, body: str) -> None:
    post = await platform.publish_post("zoe", await platform.open_space("zoe"), body)
    reply = await platform.publish_reply("zoe", post, body)
    for content in (post, reply):
        html, version = await _read_stored_html(platform, content)
        assert html.startswith("<p><em>é</em>")
        assert version == HTML_VERSION
        assert (await _read_content(platform, content))["html"] == html


async def test_reads_return_stored_html_of_the_current_version(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe")
    post = await platform.publish_post("zoe", space, "*é*")
    await _replace_stored_html(platform, post, HTML_VERSION)
    assert (await _read_content(platform, post))["html"] == "<p>gardé</p>"
    posts = (await platform.request_ok("zoe", "GET", f"/community/v1/spaces/{space}/posts"))[
        "items"
    ]
    assert posts[0]["html"] == "<p>gardé</p>"
    await _replace_stored_html(platform, post, HTML_VERSION - 1)
    assert (await _read_content(platform, post))["html"] == "<p><em>é</em></p>\n", (
        "HTML of an older version is rendered again"
    )


async def test_edited_text_is_stored_with_new_html(platform: PlatformHarness) -> None:
    post = await platform.publish_post("zoe", await platform.open_space("zoe"), "*é*")
    path = f"/community/v1/contents/{post}"
    content = await platform.request_ok("zoe", "PUT", path, {"body": "**è**"})
    assert content["html"] == "<p><strong>è</strong></p>\n"
    assert await _read_stored_html(platform, post) == (content["html"], HTML_VERSION)


async def test_imported_html_is_stored_sanitised(platform: PlatformHarness) -> None:
    line = {
        "outside_id": "post:1",
        "kind": "discussion",
        "title": "É",
        "body": "<p>chat<img src=https://e.fr/a.png alt=noir><script>x()</script>",
        "created_at": datetime(2020, 1, 1, tzinfo=UTC).isoformat(),
    }
    space = await platform.open_space("zoe")
    chunk = {"space_id": space, "source": f"essai:{space}", "lines": [line]}
    await platform.request_ok("anne", "POST", "/community/v1/imports", chunk)
    posts = (await platform.request_ok("zoe", "GET", f"/community/v1/spaces/{space}/posts"))[
        "items"
    ]
    html, version = await _read_stored_html(platform, posts[0]["content_id"])
    assert version == HTML_VERSION
    assert html == posts[0]["html"]
    assert "<script" not in html
    assert "<img" not in html
    assert 'href="https://e.fr/a.png"' in html
