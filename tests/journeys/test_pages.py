"""Lists come in pages, and addresses that lead nowhere say so like all others."""

import pytest
from uuid_utils.compat import uuid7

from shared.kit.web.cursors import encode
from shared.kit.web.problems import MEDIA_TYPE
from tests.support.platform_harness import Json, PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]


async def _walk(world: PlatformHarness, who: str, path: str, limit: int) -> list[list[Json]]:
    pages: list[list[Json]] = []
    more = ""
    while True:
        page = await world.request_ok(who, "GET", f"{path}?limit={limit}{more}")
        pages.append(page["items"])
        if page["next"] is None:
            return pages
        more = f"&cursor={page['next']}"


def _flat(pages: list[list[Json]], name: str) -> list[str]:
    return [each[name] for page in pages for each in page]


async def test_spaces_come_in_pages_by_name(world: PlatformHarness) -> None:
    for _ in range(3):
        await world.open_space("zoe")
    secret = {"name": f"Salle n° 0 {uuid7()}", "structure_id": await world.school_id()}
    secret |= {"visibility": "secret"}
    hidden = (await world.request_ok("claire", "POST", "/community/v1/spaces", secret))["space_id"]
    whole = await world.request_ok("zoe", "GET", "/community/v1/spaces")
    pages = await _walk(world, "zoe", "/community/v1/spaces", 2)
    assert all(len(page) == 2 for page in pages[:-1]), "full, whatever lies between"
    found = _flat(pages, "space_id")
    assert found[:100] == [each["space_id"] for each in whole["items"]]
    assert len(set(found)) == len(found)
    assert hidden not in found
    assert hidden in _flat(await _walk(world, "claire", "/community/v1/spaces", 100), "space_id")
    named = await world.request_ok("claire", "GET", f"/community/v1/spaces?name={secret['name']}")
    assert ([e["space_id"] for e in named["items"]], named["next"]) == ([hidden], None)


async def test_structures_come_in_pages_from_the_root_down(world: PlatformHarness) -> None:
    path, school = "/identity/v1/structures", await world.school_id()
    for name in ("6e", "5e", "5e"):
        below = {"name": name, "kind": "class", "parent_id": school}
        await world.request_ok("anne", "POST", path, below)
    whole = (await world.request_ok("zoe", "GET", path))["items"]
    pages = await _walk(world, "zoe", path, 2)
    assert all(len(page) == 2 for page in pages[:-1])
    assert _flat(pages, "structure_id") == [each["structure_id"] for each in whole]
    places = [(len(each["path"]), each["structure_id"]) for each in whole]
    assert len({structure for _, structure in places}) == len(places)
    assert [depth for depth, _ in places] == sorted(depth for depth, _ in places)
    beyond = encode(2**40, "é", uuid7())
    assert (await world.request_ok("zoe", "GET", f"{path}?cursor={beyond}"))["items"] == []
    answer = await world.request("zoe", "GET", f"{path}?cursor={encode('é')}")
    assert (answer.status_code, answer.json()["type"]) == (422, "/identity/problems/bad_cursor")


async def test_cases_come_in_pages_by_urgency(world: PlatformHarness) -> None:
    space = await world.open_space("zoe", "ines")
    posts = [await world.publish_post("zoe", space, f"Un mot n° {n}.") for n in range(3)]
    for post in posts:
        await world.flag_content("ines", post)
        await world.wait_for_case(post)
    pages = await _walk(world, "omar", "/moderation/v1/cases", 2)
    assert all(len(page) == 2 for page in pages[:-1])
    found = _flat(pages, "content_id")
    assert set(posts) <= set(found)
    assert len(set(found)) == len(found)
    due = [(each["due_at"], each["case_id"]) for page in pages for each in page]
    assert due == sorted(due)
    assert await _walk(world, "zoe", "/moderation/v1/cases", 2) == [[]]


async def test_alerts_come_in_pages_open_ones_first(world: PlatformHarness) -> None:
    spaces = [await world.open_space("zoe", "ines", "malik", "tom", "hamid") for _ in range(3)]
    for space in spaces:
        one, two = [await world.publish_post("tom", space, "Encore lui.") for _ in "12"]
        for who, post in (("zoe", one), ("ines", one), ("malik", one), ("zoe", two), ("ines", two)):
            await world.flag_content(who, post)
    await world.wait_until_idle()
    before = _flat(await _walk(world, "claire", "/metrics/v1/alerts", 100), "alert_id")
    first = before[0]
    await world.request_ok("claire", "POST", f"/metrics/v1/alerts/{first}/close")
    pages = await _walk(world, "claire", "/metrics/v1/alerts", 2)
    assert all(len(page) == 2 for page in pages[:-1])
    found = [each for page in pages for each in page]
    assert sorted(each["alert_id"] for each in found) == sorted(before)
    assert set(spaces) <= {each["space_id"] for each in found}
    order = [each["closed_at"] is not None for each in found]
    assert order == sorted(order)
    assert order[-1], "the one that was closed is still told of"
    assert await _walk(world, "zoe", "/metrics/v1/alerts", 2) == [[]]


@pytest.mark.parametrize(
    "path", ["/nowhere", "/community", "/", "/schemas/community.nothing.v1", "/community/nowhere"]
)
async def test_an_address_that_leads_nowhere_is_a_problem_in_words(
    world: PlatformHarness, path: str
) -> None:
    told, kind = set(), ""
    for language in ("fr", "en"):
        answer = await world.http.get(path, headers={"accept-language": language})
        assert (answer.status_code, answer.headers["content-type"]) == (404, MEDIA_TYPE)
        assert answer.headers["x-content-type-options"] == "nosniff"
        problem = answer.json()
        assert (problem["status"], problem["instance"]) == (404, path)
        told.add(problem["title"])
        kind = problem["type"]
    assert len(told) == 2
    page = await world.http.get(kind)
    assert page.headers["content-type"].startswith("text/html")
    method = await world.http.post("/health/live")
    assert (method.status_code, method.headers["content-type"]) == (405, MEDIA_TYPE)


@pytest.mark.parametrize(
    ("who", "path", "status"),
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
    world: PlatformHarness, who: str, path: str, status: int
) -> None:
    full, head = [await world.request(who, method, path) for method in ("GET", "HEAD")]
    assert (head.status_code, full.status_code) == (status, status)
    assert head.content == b""
    told = ("content-type", "x-content-type-options")
    assert [head.headers.get(name) for name in told] == [full.headers.get(name) for name in told]
    assert int(head.headers["content-length"]) > 0
    assert (await world.request(who, "HEAD", "/identity/v1/sessions/refresh")).status_code == 405
