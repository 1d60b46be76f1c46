"""Times, dates, cursors and texts at the limits of what can be stored."""

import base64

import httpx
import pytest
from uuid_utils.compat import uuid7

from shared.kit.web.problems import MEDIA_TYPE
from tests.support.platform_harness import Json, PlatformHarness, member_id_of

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]
LATEST_TIME = "9999-12-31T23:59:59-12:00"
EARLIEST_TIME = "0001-01-01T00:00:00+14:00"
BLANKS = ("   ", "\u200b\u200d", "\u00a0\t\n")


def _assert_problem(response: httpx.Response, status: int, expected: str = "") -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == MEDIA_TYPE
    assert expected in response.text


def _cursor(json: str) -> str:
    return base64.urlsafe_b64encode(json.encode()).decode().rstrip("=")


@pytest.mark.parametrize("json", ['["0198"]', '["é"]', '[""]', "[[]]", '[{"a":1}]', "[1]", "{}"])
async def test_a_cursor_without_a_position_is_refused(platform: PlatformHarness, json: str) -> None:
    space = await platform.open_space("zoe")
    for user, path in (
        ("zoe", f"/community/v1/spaces/{space}/posts"),
        ("zoe", "/notifications/v1/inbox"),
        ("omar", "/moderation/v1/cases"),
        ("claire", "/metrics/v1/alerts"),
        ("operator", "/metrics/v1/operating/dead-letters"),
    ):
        response = await platform.request(user, "GET", f"{path}?cursor={_cursor(json)}")
        _assert_problem(response, 422, "bad_cursor")


@pytest.mark.parametrize("json", ["[]", "[1]", '["\\u0000"]', '["a", "b"]'])
async def test_a_cursor_without_a_name_is_refused(platform: PlatformHarness, json: str) -> None:
    for path in ("?", "?name=Ici&"):
        response = await platform.request(
            "zoe", "GET", f"/community/v1/spaces{path}cursor={_cursor(json)}"
        )
        _assert_problem(response, 422, "bad_cursor")


@pytest.mark.parametrize("moment", [LATEST_TIME, EARLIEST_TIME])
async def test_cursor_with_time_outside_of_utc_range_is_refused(
    platform: PlatformHarness, moment: str
) -> None:
    ends = f'"{moment}","{uuid7()}"]'
    for user, path, json in (
        ("omar", "/moderation/v1/cases", f"[{ends}"),
        ("claire", "/metrics/v1/alerts", f"[0,{ends}"),
        ("operator", "/metrics/v1/operating/dead-letters", f'["{moment}","t",0,0]'),
    ):
        response = await platform.request(user, "GET", f"{path}?cursor={_cursor(json)}")
        _assert_problem(response, 422, "bad_cursor")


@pytest.mark.parametrize("until", [LATEST_TIME, EARLIEST_TIME])
async def test_end_time_outside_of_utc_range_is_refused(
    platform: PlatformHarness, until: str
) -> None:
    await platform.request_ok("tom", "GET", "/community/v1/spaces")
    tom = str(member_id_of(platform.tokens["tom"]))
    role = {"member_id": tom, "role": "parent", "structure_id": await platform.school_id()}
    for path, body in (
        (f"/identity/v1/members/{tom}/suspension", {"reason": "x"}),
        ("/identity/v1/roles", role),
        ("/identity/v1/roles/revoke", role),
    ):
        _assert_problem(
            await platform.request("anne", "POST", path, body | {"until": until}), 422, "/until"
        )


@pytest.mark.parametrize("grain", ["day", "week", "month"])
@pytest.mark.parametrize(
    ("begin", "end"), [("9999-12-30", "9999-12-31"), ("0001-01-01", "0001-01-02")]
)
async def test_figures_at_the_limits_of_the_calendar_are_refused(
    platform: PlatformHarness, begin: str, end: str, grain: str
) -> None:
    space = await platform.open_space("zoe")
    path = f"/metrics/v1/kpis?space_id={space}&from={begin}&to={end}&grain={grain}"
    _assert_problem(await platform.request("claire", "GET", path), 422, "bad_period")


async def test_row_with_impossible_time_does_not_block_other_rows(
    platform: PlatformHarness,
) -> None:
    space, source = await platform.open_space("zoe"), f"extremes {uuid7()}"
    dates = (EARLIEST_TIME, "2012-01-31T23:30:00+01:00", LATEST_TIME, "1899-12-31T23:59:59Z")
    lines = [
        {"outside_id": str(n), "kind": "question", "body": "<p>Où ?</p>", "created_at": date}
        for n, date in enumerate(dates)
    ]
    answer_row: Json = {"outside_id": "a", "kind": "answer", "body": "<p>Là.</p>", "parent": "1"}
    lines.append(answer_row | {"created_at": "2012-02-01T00:00:00Z"})
    accepted = [{"answer": "a", "at": LATEST_TIME}, {"answer": "a", "at": EARLIEST_TIME}]
    chunk = {"space_id": space, "source": source, "lines": lines, "accepted": accepted}
    result = await platform.request_ok("anne", "POST", "/community/v1/imports", chunk)
    outcomes = [item["outcome"] for item in result["lines"]]
    assert outcomes == ["refused", "created", "refused", "refused", "created"]
    assert all(result["lines"][n]["reason"] for n in (0, 2, 3))
    assert [item["outcome"] for item in result["accepted"]] == ["refused", "created"]
    people = [
        {"outside_id": str(n), "display_name": "Zoé", "joined_at": date}
        for n, date in enumerate(dates)
    ]
    chunk = {"source": source, "lines": people}
    result = await platform.request_ok("anne", "POST", "/identity/v1/imports", chunk)
    outcomes = [item["outcome"] for item in result["lines"]]
    assert outcomes == ["refused", "created", "refused", "refused"]


@pytest.mark.parametrize("blank", BLANKS)
async def test_invisible_text_is_refused(platform: PlatformHarness, blank: str) -> None:
    space, school = await platform.open_space("zoe"), await platform.school_id()
    question = await platform.publish_post("zoe", space, "Qui ?", "question")
    contents, posts = f"/community/v1/contents/{question}", f"/community/v1/spaces/{space}/posts"
    member_body = {"display_name": "Noé", "email": f"{uuid7()}@x.fr", "structure_id": school}
    structure = {"name": "6e", "kind": "class", "parent_id": school}
    for user, method, path, body in (
        ("zoe", "POST", posts, {"title": blank, "body": "b"}),
        ("zoe", "POST", posts, {"title": "t", "body": blank}),
        ("zoe", "POST", f"{contents}/answers", {"body": blank}),
        ("zoe", "POST", f"{contents}/comments", {"body": blank}),
        ("zoe", "PUT", contents, {"body": blank}),
        ("zoe", "PUT", contents, {"body": "b", "title": blank}),
        ("claire", "POST", "/community/v1/spaces", {"name": blank, "structure_id": school}),
        ("anne", "POST", "/identity/v1/structures", structure | {"name": blank}),
        ("anne", "POST", "/identity/v1/structures", structure | {"kind": blank}),
        ("anne", "POST", "/identity/v1/members", member_body | {"display_name": blank}),
        ("operator", "POST", "/identity/v1/tenants", {"name": blank, "admin": "a@x.fr"}),
    ):
        _assert_problem(await platform.request(user, method, path, body), 422, "errors")
    line = {"outside_id": "1", "kind": "question", "created_at": "2012-01-01T00:00:00Z"}
    chunk = {"space_id": space, "source": "blank", "lines": [line | {"body": blank}]}
    result = await platform.request_ok("anne", "POST", "/community/v1/imports", chunk)
    assert result["lines"][0]["outcome"] == "refused"


@pytest.mark.parametrize("zone", ["localtime", "posixrules", "Factory"])
async def test_time_zone_must_have_an_iana_name(platform: PlatformHarness, zone: str) -> None:
    school = await platform.school_id()
    for user, path, body in (
        ("claire", "/community/v1/spaces", {"name": f"{uuid7()}", "structure_id": school}),
        ("anne", "/identity/v1/structures", {"name": "6e", "kind": "c", "parent_id": school}),
        ("operator", "/identity/v1/tenants", {"name": f"{uuid7()}", "admin": "a@x.fr"}),
    ):
        response = await platform.request(user, "POST", path, body | {"time_zone": zone})
        _assert_problem(response, 422, "time_zone")
