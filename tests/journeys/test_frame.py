"""Health, schemas, documentation and metrics: the routes that every service has."""

import msgspec
import pytest
import sqlalchemy as sa

from shared.contracts.catalogue import EVENTS
from tests.support.platform_databases import SERVICE_NAMES
from tests.support.platform_harness import PlatformHarness

_MAKE_DUE = sa.text("UPDATE jobs SET due = now() WHERE name = 'measure'")
pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]


async def test_platform_is_ready_when_all_services_are_ready(platform: PlatformHarness) -> None:
    response = await platform.internal_http.get("/health/ready")
    assert response.status_code == 200
    assert set(SERVICE_NAMES) <= set(response.json()["checks"])


@pytest.mark.parametrize("kind", sorted(EVENTS))
async def test_schema_named_by_an_event_is_served(platform: PlatformHarness, kind: str) -> None:
    response = await platform.http.get(f"/schemas/{kind}")
    expected = msgspec.json.encode(msgspec.json.schema(EVENTS[kind]))
    assert response.json() == msgspec.json.decode(expected)


async def test_an_unknown_schema_is_not_found(platform: PlatformHarness) -> None:
    assert (await platform.http.get("/schemas/community.nothing.v1")).status_code == 404


@pytest.mark.parametrize("name", SERVICE_NAMES)
async def test_each_service_serves_documentation_and_metrics(
    platform: PlatformHarness, name: str
) -> None:
    docs = await platform.http.get(f"/{name}/docs")
    assert docs.headers["content-type"].startswith("text/html")
    assert "x-action" in (await platform.http.get(f"/{name}/openapi.json")).text
    assert "# " in (await platform.internal_http.get(f"/{name}/metrics")).text


async def test_metrics_show_lag_parked_records_and_dead_letters(platform: PlatformHarness) -> None:
    await platform.services["metrics"].service.database.execute_once(_MAKE_DUE)

    async def read_metrics() -> dict[str, object] | None:
        text = (await platform.internal_http.get("/metrics/metrics")).text
        metrics = ("preau_consumer_lag", "preau_parked_depth", "preau_dead_letter_depth")
        return {} if all(f'{metric}{{group="metrics"' in text for metric in metrics) else None

    await platform.wait_until(read_metrics)


async def test_member_cannot_write_after_leaving_a_space(platform: PlatformHarness) -> None:
    space = await platform.open_space("zoe")
    await platform.publish_post("zoe", space, "À bientôt 👋")
    await platform.request_ok("zoe", "DELETE", f"/community/v1/spaces/{space}/members")
    body = {"kind": "discussion", "title": "Encore moi", "body": "Oups"}
    response = await platform.request("zoe", "POST", f"/community/v1/spaces/{space}/posts", body)
    assert response.status_code == 403
    assert response.json()["rule"] == "post.member"


async def test_public_port_reveals_no_internal_details(platform: PlatformHarness) -> None:
    for page in ("startup", "live", "ready"):
        response = await platform.http.get(f"/health/{page}")
        assert (response.status_code, response.json()) == (200, {"status": "ok"})
    for name in SERVICE_NAMES:
        for path in ("metrics", "health/live", "health/ready", "health/startup"):
            assert (await platform.http.get(f"/{name}/{path}")).status_code == 404
            assert (await platform.internal_http.get(f"/{name}/{path}")).status_code == 200
        assert (await platform.internal_http.get(f"/{name}/v1/operating/status")).status_code == 404
    assert (await platform.http.get("/metrics")).status_code == 404


async def test_path_without_or_with_a_slash_is_not_redirected(platform: PlatformHarness) -> None:
    for path in ("/community", "/community/v1/spaces/", "/health/live/", "/nowhere/"):
        response = await platform.http.get(path, headers={"host": "evil.example"})
        assert (response.status_code, response.headers.get("location")) == (404, None), path
