"""Lists in pages, and problems for unknown paths."""

import pytest
from uuid_utils.compat import uuid7

from shared.kit.web.cursors import encode
from shared.kit.web.problems import MEDIA_TYPE
from tests.support.platform_harness import Json, PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]


async def _read_pages(
    platform: PlatformHarness, user: str, path: str, limit: int
) -> list[list[Json]]:
    pages: list[list[Json]] = []
    cursor = ""
    while True:
        page = await platform.request_ok(user, "GET", f"{path}?limit={limit}{cursor}")
        pages.append(page["items"])
        if page["next"] is None:
            return pages
        cursor = f"&cursor={page['next']}"


def _list_values(pages: list[list[Json]], name: str) -> list[str]:
    return [item[name] for page in pages for item in page]


async def test_spaces_come_in_pages_by_name(platform: PlatformHarness) -> None:
    for _ in range(3):
        await platform.open_space("zoe")
    secret_space = {"name": f"Salle n° 0 {uuid7()}", "structure_id": await platform.school_id()}
    secret_space |= {"visibility": "secret"}
    secret_id = (await platform.request_ok("claire", "POST", "/community/v1/spaces", secret_space))[
        "space_id"
    ]
    unpaged = await platform.request_ok("zoe", "GET", "/community/v1/spaces")
    pages = await _read_pages(platform, "zoe", "/community/v1/spaces", 2)
    assert all(len(page) == 2 for page in pages[:-1]), (
        "pages are full although secret spaces are left out"
    )
    space_ids = _list_values(pages, "space_id")
    assert space_ids[:100] == [item["space_id"] for item in unpaged["items"]]
    assert len(set(space_ids)) == len(space_ids)
    assert secret_id not in space_ids
    assert secret_id in _list_values(
        await _read_pages(platform, "claire", "/community/v1/spaces", 100), "space_id"
    )
    search_page = await platform.request_ok(
        "claire", "GET", f"/community/v1/spaces?name={secret_space['name']}"
    )
    assert ([e["space_id"] for e in search_page["items"]], search_page["next"]) == (
        [secret_id],
        None,
    )


async def test_structures_come_in_pages_from_the_root_down(platform: PlatformHarness) -> None:
    path, school = "/identity/v1/structures", await platform.school_id()
    for name in ("6e", "5e", "5e"):
        body = {"name": name, "kind": "class", "parent_id": school}
        await platform.request_ok("anne", "POST", path, body)
    unpaged = (await platform.request_ok("zoe", "GET", path))["items"]
    pages = await _read_pages(platform, "zoe", path, 2)
    assert all(len(page) == 2 for page in pages[:-1])
    assert _list_values(pages, "structure_id") == [item["structure_id"] for item in unpaged]
    depths_and_ids = [(len(item["path"]), item["structure_id"]) for item in unpaged]
    assert len({structure for _, structure in depths_and_ids}) == len(depths_and_ids)
    assert [depth for depth, _ in depths_and_ids] == sorted(depth for depth, _ in depths_and_ids)
    beyond = encode(2**40, "é", uuid7())
    assert (await platform.request_ok("zoe", "GET", f"{path}?cursor={beyond}"))["items"] == []
    response = await platform.request("zoe", "GET", f"{path}?cursor={encode('é')}")
    assert (response.status_code, response.json()["type"]) == (422, "/identity/problems/bad_cursor")


async def test_cases_come_in_pages_by_urgency(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe", "ines")
    posts = [await platform.publish_post("zoe", space, f"Un mot n° {n}.") for n in range(3)]
    for post in posts:
        await platform.flag_content("ines", post)
        await platform.wait_for_case(post)
    pages = await _read_pages(platform, "omar", "/moderation/v1/cases", 2)
    assert all(len(page) == 2 for page in pages[:-1])
    content_ids = _list_values(pages, "content_id")
    assert set(posts) <= set(content_ids)
    assert len(set(content_ids)) == len(content_ids)
    queue_keys = [(item["due_at"], item["case_id"]) for page in pages for item in page]
    assert queue_keys == sorted(queue_keys)
    assert await _read_pages(platform, "zoe", "/moderation/v1/cases", 2) == [[]]


async def test_alerts_come_in_pages_open_ones_first(platform: PlatformHarness) -> None:
    spaces = [await platform.open_space("zoe", "ines", "malik", "tom", "hamid") for _ in range(3)]
    for space in spaces:
        first_post, second_post = [
            await platform.publish_post("tom", space, "Encore lui.") for _ in "12"
        ]
        for user, post in (
            ("zoe", first_post),
            ("ines", first_post),
            ("malik", first_post),
            ("zoe", second_post),
            ("ines", second_post),
        ):
            await platform.flag_content(user, post)
    await platform.wait_until_idle()
    alerts_before = _list_values(
        await _read_pages(platform, "claire", "/metrics/v1/alerts", 100), "alert_id"
    )
    first_alert_id = alerts_before[0]
    await platform.request_ok("claire", "POST", f"/metrics/v1/alerts/{first_alert_id}/close")
    pages = await _read_pages(platform, "claire", "/metrics/v1/alerts", 2)
    assert all(len(page) == 2 for page in pages[:-1])
    alerts_after = [item for page in pages for item in page]
    assert sorted(item["alert_id"] for item in alerts_after) == sorted(alerts_before)
    assert set(spaces) <= {item["space_id"] for item in alerts_after}
    order = [item["closed_at"] is not None for item in alerts_after]
    assert order == sorted(order)
    assert order[-1], "the closed alert is still listed"
    assert await _read_pages(platform, "zoe", "/metrics/v1/alerts", 2) == [[]]


@pytest.mark.parametrize(
    "path", ["/nowhere", "/community", "/", "/schemas/community.nothing.v1", "/community/nowhere"]
)
async def test_unknown_path_is_a_translated_problem(platform: PlatformHarness, path: str) -> None:
    titles, problem_type = set(), ""
    for language in ("fr", "en"):
        response = await platform.http.get(path, headers={"accept-language": language})
        assert (response.status_code, response.headers["content-type"]) == (404, MEDIA_TYPE)
        assert response.headers["x-content-type-options"] == "nosniff"
        problem = response.json()
        assert (problem["status"], problem["instance"]) == (404, path)
        titles.add(problem["title"])
        problem_type = problem["type"]
    assert len(titles) == 2
    page = await platform.http.get(problem_type)
    assert page.headers["content-type"].startswith("text/html")
    method = await platform.http.post("/health/live")
    assert (method.status_code, method.headers["content-type"]) == (405, MEDIA_TYPE)


@pytest.mark.parametrize(
    ("user", "path", "status"),
    [
        ("zoe", "/community/v1/spaces", 200),
        ("zoe", "/notifications/v1/inbox", 200),
        ("anonymous", "/identity/.well-known/jwks.json", 200),
        ("anonymous", "/community/docs", 200),
        ("anonymous", "/health/ready", 200),
        ("anonymous", "/community/v1/spaces", 401),
        ("zoe", "/community/v1/nowhere", 404),
        ("anonymous", "/nowhere", 404),
    ],
)
async def test_head_is_get_without_the_body(
    platform: PlatformHarness, user: str, path: str, status: int
) -> None:
    get_response, head_response = [
        await platform.request(user, method, path) for method in ("GET", "HEAD")
    ]
    assert (head_response.status_code, get_response.status_code) == (status, status)
    assert head_response.content == b""
    header_names = ("content-type", "x-content-type-options")
    assert [head_response.headers.get(name) for name in header_names] == [
        get_response.headers.get(name) for name in header_names
    ]
    assert int(head_response.headers["content-length"]) > 0
    assert (
        await platform.request(user, "HEAD", "/identity/v1/sessions/refresh")
    ).status_code == 405
