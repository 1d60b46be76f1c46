"""Claims, actor and caller of a request: denied by default; new members are waited for."""

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
async def test_request_without_a_valid_token_is_rejected(header: str) -> None:
    app = SampleApp()
    response = await app.post(NOTE, Authorization=header)
    assert (response.status_code, response.json()["type"]) == (401, "/notes/problems/unauthorised")
    assert response.headers["www-authenticate"] == "Bearer"
    assert (app.rights.lookups, app.callers) == (0, [])


async def test_handler_receives_caller_and_actor_with_tenant() -> None:
    app = SampleApp()
    assert (await app.post(NOTE)).status_code == 201
    (caller,), (actor,) = app.callers, app.actors
    assert (caller.tenant, caller.member_id) == (example_data.TENANT, example_data.ZOE)
    assert (actor.tenant, actor.member_id) == (example_data.TENANT, example_data.ZOE)
    assert app.rights.lookups == 1


async def test_operator_route_admits_operators_only() -> None:
    app = SampleApp()
    async with app.client("hamid") as hamid, app.client("zoe") as zoe:
        assert (await hamid.get("/v1/all")).status_code == 200
        refused = await zoe.get("/v1/all")
    assert (refused.status_code, refused.json()["rule"]) == (403, "operate.operator")


async def test_anonymous_route_reads_no_rights() -> None:
    app = SampleApp()
    async with app.client(None) as client:
        assert (await client.post("/v1/sign-in", json=NOTE)).status_code == 200
    assert app.rights.lookups == 0


async def test_request_waits_for_the_events_of_a_new_member() -> None:
    assert (await SampleApp(rights=FakeRights(missing_lookups=3)).post(NOTE)).status_code == 201


async def test_request_fails_with_retry_when_member_events_stay_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(context, "MEMBER_WAIT_SECONDS", 0.2)
    app = SampleApp(rights=FakeRights(missing_lookups=1_000))
    start = time.monotonic()
    response = await app.post(NOTE)
    assert 0.2 <= time.monotonic() - start < 1.5
    assert (response.status_code, response.json()["type"]) == (503, "/notes/problems/try_again")
    assert response.headers["retry-after"] == "2"
    assert not app.callers


async def test_suspended_member_is_rejected_at_once_with_the_rule() -> None:
    app = SampleApp(rights=FakeRights(suspended=True))
    response = await asyncio.wait_for(app.post(NOTE), 0.5)
    assert (response.status_code, response.json()["rule"]) == (403, "member.suspended")


async def test_suspended_member_may_call_routes_open_to_suspended() -> None:
    app = SampleApp(rights=FakeRights(suspended=True))
    async with app.client() as client:
        refused = await client.get("/v1/notes/1")
        read = await client.get("/v1/reasons")
    problem = refused.json()
    assert (refused.status_code, problem["type"]) == (403, "/notes/problems/member_suspended")
    assert (problem["reason"], problem["until"]) == ("insults", NOON.isoformat())
    assert (read.status_code, read.json()) == (200, {"suspended": True})


async def test_correlation_id_is_the_clients_or_a_new_one() -> None:
    app = SampleApp()
    async with app.client() as client:
        await client.post("/v1/notes", json=NOTE, headers={b"x-correlation-id": b"a\xe9\x01"})
    await app.post(NOTE, **{"X-Correlation-Id": "import-7"})
    await app.post(NOTE, **{"X-Correlation-Id": "x" * 5_000})
    await app.post(NOTE)
    correlations = [caller.correlation for caller in app.callers]
    assert correlations[1] == "import-7"
    assert len(correlations[2]) == 100
    assert len(correlations[3]) == 36
    assert len(set(correlations)) == 4


async def test_trace_of_the_request_continues_in_the_handler() -> None:
    app = SampleApp(telemetry=OtelTelemetry("notes", sample_ratio=1))
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    await app.post(NOTE, traceparent=f"00-{trace_id}-b7ad6b7169203331-01")
    assert str(app.callers[0].traceparent).split("-")[1] == trace_id


def test_only_the_context_module_reads_the_correlation_header() -> None:
    """Routes without a token validate the header too, by the same function."""
    modules = [
        dotted(module)
        for module in python_files("services", "shared")
        if "x-correlation-id" in module.read_text().lower()
    ]
    assert modules == ["shared.kit.web.context"]
