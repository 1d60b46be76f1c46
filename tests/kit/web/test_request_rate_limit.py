"""Request rate limits: per member, tenant and cost; exemptions; the response."""

import asyncio
from collections import Counter
from uuid import uuid4

from shared.kit.limiting.route_limits import RouteLimits
from tests.support.rate_limited_app import RateLimitedApp


async def test_thirty_of_236_posts_in_ten_seconds_are_accepted() -> None:
    app, statuses = RateLimitedApp(), []
    for _ in range(236):
        app.clock.seconds += 10 / 240
        statuses += await app.statuses("pupil1", 1)

    assert Counter(statuses) == {201: 30, 429: 206}


async def test_35_pupils_of_one_school_may_post_at_once() -> None:
    app = RateLimitedApp()

    responses = await asyncio.gather(*(app.statuses(f"pupil{n}", 4) for n in range(35)))

    assert Counter(status for statuses in responses for status in statuses) == {201: 140}


async def test_rejection_has_title_and_retry_after_in_both_languages() -> None:
    app = RateLimitedApp(limits=RouteLimits(writes=2))
    await app.statuses("pupil1", 2)
    documents = {}
    for language in ("fr", "en"):
        async with app.client("pupil1", language) as client:
            response = await client.post("/v1/notes", json={"text": "Il pleut"})
        assert response.status_code == 429
        assert response.headers["content-type"] == "application/problem+json"
        documents[language] = response.json()
        assert int(response.headers["Retry-After"]) == response.json()["retry_after"] > 0

    seconds = documents["en"]["retry_after"]
    assert documents["en"]["limit"] == "write.member"
    assert documents["en"]["title"] == "Too many requests in a short time"
    assert documents["fr"]["title"] == "Trop de demandes en peu de temps"
    assert f"{seconds} seconds" in documents["en"]["help"]
    assert f"{seconds} secondes" in documents["fr"]["help"]
    app.clock.seconds += seconds
    assert await app.statuses("pupil1", 1) == [201]


async def test_full_limit_of_a_tenant_does_not_affect_another() -> None:
    app = RateLimitedApp(limits=RouteLimits(writes=5, tenant_writes=12))
    responses = [await app.statuses(f"pupil{n}", 5) for n in range(4)]

    assert responses == [[201] * 5, [201] * 5, [201, 201, 429, 429, 429], [429] * 5]
    assert await app.statuses("foreigner", 5) == [201] * 5


async def test_loads_are_counted_separately() -> None:
    app = RateLimitedApp(limits=RouteLimits(reads=3, writes=2, heavy=1, imports=1))
    async with app.client("pupil1") as client:
        reads = [(await client.get("/v1/notes/7")).status_code for _ in range(4)]
        figures = [(await client.get("/v1/figures")).status_code for _ in range(2)]
        chunks = [(await client.post("/v1/chunks")).status_code for _ in range(2)]

    assert reads == [404, 404, 404, 429]
    assert figures == [200, 429]
    assert chunks == [200, 429]
    assert await app.statuses("pupil1", 3) == [201, 201, 429]


async def test_operators_pages_and_anonymous_routes_are_not_limited() -> None:
    app = RateLimitedApp(limits=RouteLimits(reads=1, writes=1, tenant_writes=1, tenant_reads=1))
    async with app.client("hamid") as client:
        operating = {(await client.get("/v1/all")).status_code for _ in range(5)}
    assert operating == {200}
    assert set(await app.statuses("hamid", 5)) == {201}
    async with app.client(None) as client:
        signing_in = [await client.post("/v1/sign-in", json={"text": "a"}) for _ in range(5)]
        pages = [await client.get("/problems/requests_limited") for _ in range(5)]
    assert {response.status_code for response in (*signing_in, *pages)} == {200}


async def test_machine_account_has_ten_times_the_limit() -> None:
    app = RateLimitedApp(limits=RouteLimits(writes=3))
    app.machines.machines.add(app.accounts.ids.setdefault("robot", uuid4()))

    responses = await app.statuses("robot", 40)

    assert Counter(responses) == {201: 33, 429: 7}


async def test_rejected_requests_read_rights_once_a_minute() -> None:
    app = RateLimitedApp(limits=RouteLimits(writes=1))
    await app.statuses("pupil1", 1)
    lookups = app.rights.lookups

    await app.statuses("pupil1", 50)

    assert app.rights.lookups == lookups + 1


async def test_rejected_body_is_not_read_and_forged_tokens_are_not_counted() -> None:
    app = RateLimitedApp(limits=RouteLimits(writes=1))
    async with app.client("nobody") as client:
        forged = [await client.post("/v1/notes", json={"text": "a"}) for _ in range(3)]
    assert {response.status_code for response in forged} == {401}
    await app.statuses("pupil1", 1)

    async with app.client("pupil1") as client:
        response = await client.post("/v1/notes", content=b"{" * 500_000)

    assert response.status_code == 429


async def test_without_limits_nothing_is_counted() -> None:
    app = RateLimitedApp(limits=None)
    assert set(await app.statuses("pupil1", 50)) == {201}


def test_factor_multiplies_all_limits() -> None:
    assert RouteLimits(reads=10, writes=3).scaled_by(0.5).reads == 5
    assert RouteLimits(writes=3).scaled_by(0.5).writes == 2
