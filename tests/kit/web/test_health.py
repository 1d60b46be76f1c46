"""Health: each check by name; what fails or hangs is not well, and says no secret."""

import asyncio
import logging

import httpx
import pytest

from shared.kit.web import health
from shared.kit.web.health import health_routes, plain_health_routes
from tests.support.sample_app import SampleApp


async def well() -> str | None:
    return None


async def behind() -> str | None:
    return "three migrations behind"


async def broken() -> str | None:
    raise ConnectionError("postgresql://app:hunter2@db")


async def hanging() -> str | None:
    await asyncio.sleep(60)
    return None


async def _ask(page: str, **checks: health.HealthCheck) -> httpx.Response:
    given = {name: checks if name == page else {} for name in ("started", "live", "ready")}
    house = SampleApp(routers=(health_routes(given["started"], given["live"], given["ready"]),))
    address = {"started": "startup"}.get(page, page)
    async with house.client(None) as client:
        return await client.get(f"/health/{address}")


@pytest.mark.parametrize("page", ["started", "live", "ready"])
async def test_well_without_a_token(page: str) -> None:
    answer = await _ask(page, database=well)
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "ok", "checks": {"database": "ok"}},
    )


async def test_what_is_not_well_says_why_and_the_rest_is_told_too() -> None:
    answer = await _ask("ready", database=well, schema=behind)
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": "ok", "schema": "three migrations behind"}


async def test_a_check_that_fails_is_an_answer_and_its_words_stay_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = await _ask("ready", database=broken)
    assert (answer.status_code, answer.json()["checks"]) == (503, {"database": "ConnectionError"})
    assert "health check failed" in caplog.text


async def test_checks_that_hang_are_cut_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT_SECONDS", 0.05)
    answer = await asyncio.wait_for(_ask("ready", a=hanging, b=hanging), 5)
    assert answer.status_code == 503
    assert answer.json()["checks"]["a"].startswith("no answer within")


async def test_details_stand_on_the_page_of_ready_and_change_no_status() -> None:
    async def limits() -> str:
        return "in each process: Redis is away (ConnectionError)"

    house = SampleApp(routers=(health_routes({}, {}, {"database": well}, {"limits": limits}),))
    async with house.client(None) as client:
        ready = await client.get("/health/ready")
        live = await client.get("/health/live")

    assert ready.status_code == 200
    assert ready.json()["details"] == {"limits": await limits()}
    assert "details" not in live.json()


async def test_public_page_says_whether_and_not_why() -> None:
    house = SampleApp(routers=(plain_health_routes({}, {}, {"database": behind}),))
    async with house.client(None) as client:
        answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "not ok"})
