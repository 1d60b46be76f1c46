"""Who is asking: deny by default, wait for who has just joined, never for who is suspended."""

import asyncio
import time

import pytest

from shared.contracts import example_data
from shared.kit.telemetry.otel import OtelTelemetry
from shared.kit.web import context
from tests.architecture.source_tree import dotted, python_files
from tests.support.sample_app import NOON, FakeRights, SampleApp

NOTE = {"text": "é"}


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic zoe", "zoe", "Bearer someone", "Bearer zoe zoe"]
)
async def test_without_a_token_that_holds_nobody_comes_in(header: str) -> None:
    house = SampleApp()
    answer = await house.post(NOTE, Authorization=header)
    assert (answer.status_code, answer.json()["type"]) == (401, "/notes/problems/unauthorised")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert (house.rights.lookups, house.callers) == (0, [])


async def test_a_handler_learns_who_asks_in_which_tenant() -> None:
    house = SampleApp()
    assert (await house.post(NOTE)).status_code == 201
    (caller,), (actor,) = house.callers, house.actors
    assert (caller.tenant, caller.member_id) == (example_data.TENANT, example_data.ZOE)
    assert (actor.tenant, actor.member_id) == (example_data.TENANT, example_data.ZOE)
    assert house.rights.lookups == 1


async def test_operators_come_in_where_members_do_not() -> None:
    house = SampleApp()
    async with house.client("hamid") as hamid, house.client("zoe") as zoe:
        assert (await hamid.get("/v1/all")).status_code == 200
        refused = await zoe.get("/v1/all")
    assert (refused.status_code, refused.json()["rule"]) == (403, "operate.operator")


async def test_anonymous_routes_ask_nobody() -> None:
    house = SampleApp()
    async with house.client(None) as client:
        assert (await client.post("/v1/sign-in", json=NOTE)).status_code == 200
    assert house.rights.lookups == 0


async def test_a_member_whose_facts_are_on_their_way_is_waited_for() -> None:
    assert (await SampleApp(rights=FakeRights(missing_lookups=3)).post(NOTE)).status_code == 201


async def test_a_member_whose_facts_do_not_come_is_told_to_try_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(context, "MEMBER_WAIT_SECONDS", 0.2)
    house = SampleApp(rights=FakeRights(missing_lookups=1_000))
    began = time.monotonic()
    answer = await house.post(NOTE)
    assert 0.2 <= time.monotonic() - began < 1.5
    assert (answer.status_code, answer.json()["type"]) == (503, "/notes/problems/try_again")
    assert answer.headers["retry-after"] == "2"
    assert not house.callers


async def test_the_suspended_are_refused_at_once_with_the_rule() -> None:
    house = SampleApp(rights=FakeRights(suspended=True))
    answer = await asyncio.wait_for(house.post(NOTE), 0.5)
    assert (answer.status_code, answer.json()["rule"]) == (403, "member.suspended")


async def test_suspended_member_may_call_the_routes_that_say_so() -> None:
    house = SampleApp(rights=FakeRights(suspended=True))
    async with house.client() as client:
        refused = await client.get("/v1/notes/1")
        read = await client.get("/v1/reasons")
    problem = refused.json()
    assert (refused.status_code, problem["type"]) == (403, "/notes/problems/member_suspended")
    assert (problem["reason"], problem["until"]) == ("insults", NOON.isoformat())
    assert (read.status_code, read.json()) == (200, {"suspended": True})


async def test_a_request_may_name_its_chain_and_gets_a_name_otherwise() -> None:
    house = SampleApp()
    async with house.client() as client:
        await client.post("/v1/notes", json=NOTE, headers={b"x-correlation-id": b"a\xe9\x01"})
    await house.post(NOTE, **{"X-Correlation-Id": "import-7"})
    await house.post(NOTE, **{"X-Correlation-Id": "x" * 5_000})
    await house.post(NOTE)
    named = [caller.correlation for caller in house.callers]
    assert named[1] == "import-7"
    assert len(named[2]) == 100
    assert len(named[3]) == 36
    assert len(set(named)) == 4


async def test_the_trace_of_the_request_goes_on_in_the_handler() -> None:
    house = SampleApp(telemetry=OtelTelemetry("notes", sample_ratio=1))
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    await house.post(NOTE, traceparent=f"00-{trace_id}-b7ad6b7169203331-01")
    assert str(house.callers[0].traceparent).split("-")[1] == trace_id


def test_services_leave_the_name_of_a_chain_to_the_frame() -> None:
    """A route without a token checks it too: the header's name stands in one module only."""
    modules = [
        dotted(module)
        for module in python_files("services", "shared")
        if "x-correlation-id" in module.read_text().lower()
    ]
    assert modules == ["shared.kit.web.context"]
