"""Imports return an outcome per row: an invalid row is refused alone, with its reason."""

import pytest

from tests.support.platform_harness import Json, PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]
VALID_TIME = "2020-01-01T00:00:00Z"
LEAP_SECOND = "2016-12-31T23:59:60Z"


def question(outside_id: str, **changes: object) -> Json:
    line = {"outside_id": outside_id, "kind": "question", "title": "Où ?", "body": "<p>Là</p>"}
    return {**line, "created_at": VALID_TIME, **changes}


async def test_invalid_contents_are_refused_row_by_row(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe")
    lines: list[object] = [
        question("l1"),
        question("l2", created_at=LEAP_SECOND),
        question("l3", kind="poem"),
        question("l4", colour="bleu"),
        {"outside_id": "l5"},
        "not even an object",
        question("l7", title="O\u0007ù ?"),
        question("l8"),
    ]
    accepted = [{"answer": "l1", "at": LEAP_SECOND}, {"answer": "l1"}]
    chunk = {"space_id": space, "source": "lignes", "lines": lines, "accepted": accepted}
    result = await platform.request_ok("anne", "POST", "/community/v1/imports", chunk)
    outcomes = [line["outcome"] for line in result["lines"]]
    assert outcomes == ["created", *["refused"] * 6, "created"]
    reasons = [str(line["reason"]) for line in result["lines"]]
    for reason, field in zip(reasons[1:5], ("created_at", "kind", "colour", "kind"), strict=True):
        assert reason.startswith(f"{field}: "), reason
    assert [line["outcome"] for line in result["accepted"]] == ["refused", "refused"]
    assert result["accepted"][0]["reason"].startswith("at: ")


async def test_invalid_members_are_refused_row_by_row(platform: PlatformHarness) -> None:
    def member(outside_id: str, **changes: object) -> Json:
        return {"outside_id": outside_id, "display_name": "Zoé", "joined_at": VALID_TIME, **changes}

    lines = [
        member("m1"),
        member("m2", joined_at=LEAP_SECOND),
        member("m3", display_name="Zo\u202eé"),
        member("m4", display_name=7),
        member("m5"),
    ]
    chunk = {"source": "lignes", "lines": lines}
    result = await platform.request_ok("anne", "POST", "/identity/v1/imports", chunk)
    outcomes = [line["outcome"] for line in result["lines"]]
    assert outcomes == ["created", "refused", "refused", "refused", "created"]
    second_result = await platform.request_ok("anne", "POST", "/identity/v1/imports", chunk)
    assert [line["outcome"] for line in second_result["lines"]].count("unchanged") == 2
