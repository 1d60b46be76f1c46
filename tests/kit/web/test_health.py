"""Health pages: each check by name; failed and hanging checks are unhealthy, without secrets."""

import asyncio
import logging

import httpx
import pytest

from shared.kit.web import health
from shared.kit.web.health import health_routes, plain_health_routes
from tests.support.sample_app import SampleApp


async def healthy() -> str | None:
    return None


async def behind() -> str | None:
    return "three migrations behind"


async def broken() -> str | None:
    raise ConnectionError("postgresql://app:hunter2@db")


async def hanging() -> str | None:
    await asyncio.sleep(60)
    return None


async def _get_page(page: str, **checks: health.HealthCheck) -> httpx.Response:
    check_sets = {name: checks if name == page else {} for name in ("started", "live", "ready")}
    app = SampleApp(
        routers=(health_routes(check_sets["started"], check_sets["live"], check_sets["ready"]),)
    )
    path = {"started": "startup"}.get(page, page)
    async with app.client(None) as client:
        return await client.get(f"/health/{path}")


@pytest.mark.parametrize("page", ["started", "live", "ready"])
async def test_healthy_page_needs_no_token(page: str) -> None:
    response = await _get_page(page, database=healthy)
    assert (response.status_code, response.json()) == (
        200,
        {"status": "ok", "checks": {"database": "ok"}},
    )


async def test_page_lists_failed_checks_with_reasons_and_passed_ones() -> None:
    response = await _get_page("ready", database=healthy, schema=behind)
    assert response.status_code == 503
    assert response.json()["checks"] == {"database": "ok", "schema": "three migrations behind"}


async def test_error_of_a_check_is_logged_and_only_its_type_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        response = await _get_page("ready", database=broken)
    assert (response.status_code, response.json()["checks"]) == (
        503,
        {"database": "ConnectionError"},
    )
    assert "health check failed" in caplog.text


async def test_hanging_checks_time_out_concurrently(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT_SECONDS", 0.05)
    response = await asyncio.wait_for(_get_page("ready", a=hanging, b=hanging), 5)
    assert response.status_code == 503
    assert response.json()["checks"]["a"].startswith("no answer within")


async def test_details_are_on_the_ready_page_and_change_no_status() -> None:
    async def limits() -> str:
        return "in each process: Redis is away (ConnectionError)"

    app = SampleApp(routers=(health_routes({}, {}, {"database": healthy}, {"limits": limits}),))
    async with app.client(None) as client:
        ready = await client.get("/health/ready")
        live = await client.get("/health/live")

    assert ready.status_code == 200
    assert ready.json()["details"] == {"limits": await limits()}
    assert "details" not in live.json()


async def test_public_page_shows_the_status_without_reasons() -> None:
    app = SampleApp(routers=(plain_health_routes({}, {}, {"database": behind}),))
    async with app.client(None) as client:
        response = await client.get("/health/ready")
    assert (response.status_code, response.json()) == (503, {"status": "not ok"})
