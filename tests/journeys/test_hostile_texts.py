"""The longest hostile texts are published, screened and read like any other text."""

from datetime import UTC, datetime

import pytest

from tests.linear.measuring import MAX_TEXT_CHARACTERS, repeat_pattern
from tests.support.platform_harness import Json, PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize(
    "pattern", ["! ", "> ", "[a](", "<a/", "c*n ", "\ufdfa", "👩🏽‍🏫", "`a``b"]
)
async def test_hostile_post_is_screened_and_read(platform: PlatformHarness, pattern: str) -> None:
    space = await platform.open_space("zoe")
    post = await platform.publish_post(
        "zoe", space, "é" + repeat_pattern(pattern, MAX_TEXT_CHARACTERS - 1)
    )
    await platform.wait_until_idle()
    (content,) = (await platform.request_ok("zoe", "GET", f"/community/v1/contents/{post}"))[
        "items"
    ]
    assert content["standing"] == "visible"
    assert "é" in content["html"]


@pytest.mark.parametrize("pattern", ["<b a=i>", "<p><b>x", "<table>x", "<![", "<a/", "&nbsp;"])
async def test_hostile_html_is_imported_and_read(platform: PlatformHarness, pattern: str) -> None:
    space = await platform.open_space("zoe")
    line = {"kind": "comment", "created_at": datetime(2020, 1, 1, tzinfo=UTC).isoformat()}
    bodies = ["é", *("é" + repeat_pattern(pattern, MAX_TEXT_CHARACTERS - 1) for _ in range(5))]
    lines: list[Json] = [
        line | {"outside_id": str(number), "body": body, "parent": "0"}
        for number, body in enumerate(bodies)
    ]
    lines[0] = lines[0] | {"kind": "discussion", "title": "É", "parent": None}
    chunk = {"space_id": space, "source": f"essai:{space}", "lines": lines}
    import_result = await platform.request_ok("anne", "POST", "/community/v1/imports", chunk)
    assert [item["outcome"] for item in import_result["lines"]] == ["created"] * len(lines)
    await platform.wait_until_idle()
    posts = (await platform.request_ok("zoe", "GET", f"/community/v1/spaces/{space}/posts"))[
        "items"
    ]
    path = f"/community/v1/contents/{posts[0]['content_id']}"
    contents = (await platform.request_ok("zoe", "GET", path))["items"]
    assert len(contents) == len(lines)
    assert all("é" in item["html"] for item in contents)
