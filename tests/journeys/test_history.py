"""Imported history is counted and readable, and notifies no member."""

import pytest

from tests.support.platform_harness import Json, PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]
SOURCE = "stackexchange:préau 🏫"
INSULT = "<p>Tu es vraiment un connard, dégage.</p>"


def _chunk(space: str) -> Json:
    lines = [
        {"outside_id": "post:1", "kind": "question", "title": "Où est Zoé ?", "author": "7"},
        {"outside_id": "post:2", "kind": "answer", "parent": "post:1", "author": "8"},
        {"outside_id": "comment:1", "kind": "comment", "parent": "post:2", "author": "7"},
        {"outside_id": "comment:1", "kind": "comment", "parent": "post:2", "author": "7"},
        {"outside_id": "comment:2", "kind": "comment", "parent": "post:99"},
    ]
    dated = {"body": INSULT, "created_at": "2012-01-31T23:30:00+01:00"}
    accepted = [{"answer": "post:2"}, {"answer": "post:3"}]
    return {
        "space_id": space,
        "source": SOURCE,
        "lines": [{**dated, **line} for line in lines],
        "accepted": accepted,
    }


async def test_imported_history_is_applied_once_without_notifications(
    platform: PlatformHarness,
) -> None:
    space = await platform.open_space("zoe")
    people = [
        {"outside_id": number, "display_name": name, "joined_at": "2011-08-01T00:00:00Z"}
        for number, name in (("7", "Zoé Ô 🎸"), ("8", "Œuvre"), ("9", "   "))
    ]
    members = {"source": SOURCE, "structure_id": await platform.school_id(), "lines": people}
    import_result = await platform.request_ok("anne", "POST", "/identity/v1/imports", members)
    assert [e["outcome"] for e in import_result["lines"]] == ["created", "created", "refused"]
    await platform.wait_until_idle()
    effects_before = await _count_effects(platform)
    path = "/community/v1/imports"
    result = await platform.request_ok("anne", "POST", path, _chunk(space))
    outcomes = [item["outcome"] for item in result["lines"]]
    assert outcomes == ["created", "created", "created", "repeated", "refused"]
    assert "post:99" in result["lines"][4]["reason"]
    assert [item["outcome"] for item in result["accepted"]] == ["created", "refused"]
    await platform.wait_until_idle()
    assert await _count_effects(platform) == effects_before, "no notification, no case, no alert"
    second_result = await platform.request_ok("anne", "POST", path, _chunk(space))
    assert [e["outcome"] for e in second_result["lines"]][:3] == ["unchanged"] * 3
    assert [e["outcome"] for e in second_result["accepted"]] == ["unchanged", "refused"]
    await platform.wait_until_idle()
    await _assert_readable_and_counted(platform, space)


async def _assert_readable_and_counted(platform: PlatformHarness, space: str) -> None:
    posts = await platform.request_ok("zoe", "GET", f"/community/v1/spaces/{space}/posts")
    (question,) = posts["items"]
    assert question["created_at"] == "2012-01-31T22:30:00Z"
    assert question["standing"] == "visible", "rules screen imported contents, but hide none"
    path = f"/metrics/v1/kpis?space_id={space}&from=2012-01-01&to=2012-03-01&grain=month"
    rows = (await platform.request_ok("operator", "GET", path))["items"]
    january = {row["kpi"]: row["value"] for row in rows if row["period"] == "2012-01"}
    kinds = ("questions", "answers", "comments", "contributors", "flags", "decisions")
    assert [january[kind] for kind in kinds] == [1, 1, 1, 2, 0, 0]
    masked_rows = (await platform.request_ok("claire", "GET", path))["items"]
    suppressed_kpis = {row["kpi"] for row in masked_rows if row["status"] == "suppressed"}
    assert suppressed_kpis == {"contributors"}, "masked: the space has one member"


async def _count_effects(platform: PlatformHarness) -> Json:
    alerts = (await platform.request_ok("claire", "GET", "/metrics/v1/alerts"))["items"]
    cases = (await platform.request_ok("omar", "GET", "/moderation/v1/cases"))["items"]
    counts: Json = {"alerts": len(alerts), "cases": len(cases)}
    for user in ("zoe", "claire", "omar", "anne"):
        counts[user] = (await platform.request_ok(user, "GET", "/notifications/v1/inbox"))["unread"]
    return counts
