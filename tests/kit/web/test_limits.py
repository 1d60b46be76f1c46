"""Limits of requests: per member, tenant and cost; who is spared; what a refusal says."""

import asyncio
from collections import Counter
from uuid import uuid4

from shared.kit.limiting.route_limits import RouteLimits
from tests.support.rate_limited_app import RateLimitedApp


async def test_of_236_posts_in_ten_seconds_of_a_pupil_thirty_pass() -> None:
    house, statuses = RateLimitedApp(), []
    for _ in range(236):
        house.clock.seconds += 10 / 240
        statuses += await house.statuses("pupil1", 1)

    assert Counter(statuses) == {201: 30, 429: 206}


async def test_lesson_of_35_pupils_posts_at_once_from_one_school() -> None:
    house = RateLimitedApp()

    answers = await asyncio.gather(*(house.statuses(f"pupil{n}", 4) for n in range(35)))

    assert Counter(status for each in answers for status in each) == {201: 140}


async def test_refusal_says_what_happened_and_when_to_try_again() -> None:
    house = RateLimitedApp(limits=RouteLimits(writes=2))
    await house.statuses("pupil1", 2)
    documents = {}
    for language in ("fr", "en"):
        async with house.client("pupil1", language) as client:
            answer = await client.post("/v1/notes", json={"text": "Il pleut"})
        assert answer.status_code == 429
        assert answer.headers["content-type"] == "application/problem+json"
        documents[language] = answer.json()
        assert int(answer.headers["Retry-After"]) == answer.json()["retry_after"] > 0

    seconds = documents["en"]["retry_after"]
    assert documents["en"]["limit"] == "write.member"
    assert documents["en"]["title"] == "Too many requests in a short time"
    assert documents["fr"]["title"] == "Trop de demandes en peu de temps"
    assert f"{seconds} seconds" in documents["en"]["help"]
    assert f"{seconds} secondes" in documents["fr"]["help"]
    house.clock.seconds += seconds
    assert await house.statuses("pupil1", 1) == [201]


async def test_full_limit_of_one_tenant_is_not_the_others() -> None:
    house = RateLimitedApp(limits=RouteLimits(writes=5, tenant_writes=12))
    answers = [await house.statuses(f"pupil{n}", 5) for n in range(4)]

    assert answers == [[201] * 5, [201] * 5, [201, 201, 429, 429, 429], [429] * 5]
    assert await house.statuses("foreigner", 5) == [201] * 5


async def test_loads_are_counted_apart() -> None:
    house = RateLimitedApp(limits=RouteLimits(reads=3, writes=2, heavy=1, imports=1))
    async with house.client("pupil1") as client:
        reads = [(await client.get("/v1/notes/7")).status_code for _ in range(4)]
        figures = [(await client.get("/v1/figures")).status_code for _ in range(2)]
        chunks = [(await client.post("/v1/chunks")).status_code for _ in range(2)]

    assert reads == [404, 404, 404, 429]
    assert figures == [200, 429]
    assert chunks == [200, 429]
    assert await house.statuses("pupil1", 3) == [201, 201, 429]


async def test_operators_health_and_anonymous_routes_are_spared() -> None:
    house = RateLimitedApp(limits=RouteLimits(reads=1, writes=1, tenant_writes=1, tenant_reads=1))
    async with house.client("hamid") as client:
        operating = {(await client.get("/v1/all")).status_code for _ in range(5)}
    assert operating == {200}
    assert set(await house.statuses("hamid", 5)) == {201}
    async with house.client(None) as client:
        signing_in = [await client.post("/v1/sign-in", json={"text": "a"}) for _ in range(5)]
        pages = [await client.get("/problems/requests_limited") for _ in range(5)]
    assert {answer.status_code for answer in (*signing_in, *pages)} == {200}


async def test_machine_may_do_ten_times_as_much_and_no_more() -> None:
    house = RateLimitedApp(limits=RouteLimits(writes=3))
    house.machines.machines.add(house.accounts.ids.setdefault("robot", uuid4()))

    answers = await house.statuses("robot", 40)

    assert Counter(answers) == {201: 33, 429: 7}


async def test_refused_requests_ask_for_rights_once_a_minute() -> None:
    house = RateLimitedApp(limits=RouteLimits(writes=1))
    await house.statuses("pupil1", 1)
    asked = house.rights.lookups

    await house.statuses("pupil1", 50)

    assert house.rights.lookups == asked + 1


async def test_refused_request_is_not_read_and_forged_tokens_count_for_nobody() -> None:
    house = RateLimitedApp(limits=RouteLimits(writes=1))
    async with house.client("nobody") as client:
        forged = [await client.post("/v1/notes", json={"text": "a"}) for _ in range(3)]
    assert {answer.status_code for answer in forged} == {401}
    await house.statuses("pupil1", 1)

    async with house.client("pupil1") as client:
        answer = await client.post("/v1/notes", content=b"{" * 500_000)

    assert answer.status_code == 429


async def test_without_limits_nothing_is_counted() -> None:
    house = RateLimitedApp(limits=None)
    assert set(await house.statuses("pupil1", 50)) == {201}


def test_factor_multiplies_all_limits() -> None:
    assert RouteLimits(reads=10, writes=3).scaled_by(0.5).reads == 5
    assert RouteLimits(writes=3).scaled_by(0.5).writes == 2
