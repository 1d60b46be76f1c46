"""What the frame answers for all services: health, schemas, documentation, metrics."""

import msgspec
import pytest
import sqlalchemy as sa

from shared.contracts.catalogue import EVENTS
from tests.support.platform_databases import SERVICE_NAMES
from tests.support.platform_harness import PlatformHarness

_DUE = sa.text("UPDATE jobs SET due = now() WHERE name = 'measure'")
pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]


async def test_the_root_is_ready_when_all_five_are(world: PlatformHarness) -> None:
    answer = await world.internal_http.get("/health/ready")
    assert answer.status_code == 200
    assert set(SERVICE_NAMES) <= set(answer.json()["checks"])


@pytest.mark.parametrize("kind", sorted(EVENTS))
async def test_the_schema_that_an_event_names_is_served(world: PlatformHarness, kind: str) -> None:
    answer = await world.http.get(f"/schemas/{kind}")
    expected = msgspec.json.encode(msgspec.json.schema(EVENTS[kind]))
    assert answer.json() == msgspec.json.decode(expected)


async def test_an_unknown_schema_is_not_found(world: PlatformHarness) -> None:
    assert (await world.http.get("/schemas/community.nothing.v1")).status_code == 404


@pytest.mark.parametrize("name", SERVICE_NAMES)
async def test_each_service_shows_its_documentation_and_its_numbers(
    world: PlatformHarness, name: str
) -> None:
    docs = await world.http.get(f"/{name}/docs")
    assert docs.headers["content-type"].startswith("text/html")
    assert "x-action" in (await world.http.get(f"/{name}/openapi.json")).text
    assert "# " in (await world.internal_http.get(f"/{name}/metrics")).text


async def test_operators_see_lag_parked_and_dead_in_the_numbers(world: PlatformHarness) -> None:
    await world.services["metrics"].service.database.execute_once(_DUE)

    async def look() -> dict[str, object] | None:
        text = (await world.internal_http.get("/metrics/metrics")).text
        lines = ("preau_consumer_lag", "preau_parked_depth", "preau_dead_letter_depth")
        return {} if all(f'{line}{{group="metrics"' in text for line in lines) else None

    await world.wait_until(look)


async def test_who_leaves_a_space_may_no_longer_write_there(world: PlatformHarness) -> None:
    space = await world.open_space("zoe")
    await world.publish_post("zoe", space, "À bientôt 👋")
    await world.request_ok("zoe", "DELETE", f"/community/v1/spaces/{space}/members")
    new = {"kind": "discussion", "title": "Encore moi", "body": "Oups"}
    answer = await world.request("zoe", "POST", f"/community/v1/spaces/{space}/posts", new)
    assert answer.status_code == 403
    assert answer.json()["rule"] == "post.member"


async def test_public_port_tells_no_details_of_the_inside(world: PlatformHarness) -> None:
    for page in ("startup", "live", "ready"):
        answer = await world.http.get(f"/health/{page}")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    for name in SERVICE_NAMES:
        for path in ("metrics", "health/live", "health/ready", "health/startup"):
            assert (await world.http.get(f"/{name}/{path}")).status_code == 404
            assert (await world.internal_http.get(f"/{name}/{path}")).status_code == 200
        assert (await world.internal_http.get(f"/{name}/v1/operating/status")).status_code == 404
    assert (await world.http.get("/metrics")).status_code == 404


async def test_path_without_or_with_a_slash_is_not_redirected(world: PlatformHarness) -> None:
    for path in ("/community", "/community/v1/spaces/", "/health/live/", "/nowhere/"):
        answer = await world.http.get(path, headers={"host": "evil.example"})
        assert (answer.status_code, answer.headers.get("location")) == (404, None), path
