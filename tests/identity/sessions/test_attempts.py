"""Limits of attempts at passwords: they slow down guesses and never lock a member out."""

import asyncio
from typing import Any

import pytest

from services.identity.sessions.domain import (
    Credential,
    GuessLimits,
    SignedIn,
    TooManyAttempts,
    WrongCredentials,
)
from services.identity.sessions.handlers.attempts import limit_attempts
from services.identity.sessions.policy import charge_member, charge_token
from shared.contracts.example_data import TENANT, ZOE
from shared.kit.core.errors import Forbidden, PreauError
from shared.kit.limiting.fallback import FallbackLimiter
from shared.kit.limiting.memory import MemoryLimiter
from shared.kit.limiting.redis_limiter import RedisLimiter
from shared.kit.redis.client import RedisClient
from shared.kit.telemetry.noop import NoTelemetry
from tests.identity.sessions.sign_in_harness import (
    ATTACKER,
    HAMID_EMAIL,
    NO_EMAIL,
    SCHOOL,
    ZOE_EMAIL,
    SignInHarness,
)

Result = SignedIn | PreauError


def outcome(result: Result) -> tuple[str, object]:
    if isinstance(result, PreauError):
        return type(result).__name__, result.facts.get("retry_after")
    return "signed in", None


async def test_160_concurrent_wrong_passwords_are_hashed_five_times() -> None:
    harness = SignInHarness()
    for _ in range(4):
        await asyncio.gather(*(harness.try_sign_in() for _ in range(40)))

    assert harness.hash_count == 5
    assert outcome(await harness.try_sign_in(right=True)) == ("TooManyAttempts", 30)


async def test_wait_grows_and_right_password_works_after_it() -> None:
    harness = SignInHarness()
    waits: list[int] = []
    while len(waits) < 4:
        result = await harness.try_sign_in()
        if isinstance(result, TooManyAttempts):
            waits.append(int(str(result.facts["retry_after"])))
            harness.seconds += waits[-1]

    assert waits == [30, 90, 480, 3_000]
    assert harness.hash_count == 16
    assert outcome(await harness.try_sign_in(right=True)) == ("signed in", None)


@pytest.mark.parametrize(
    ("tenant", "email"), [("academie", NO_EMAIL), ("ailleurs", ZOE_EMAIL), ("ailleurs", NO_EMAIL)]
)
async def test_unknown_members_and_tenants_get_same_responses_as_known(
    tenant: str, email: str
) -> None:
    known_member, unknown_member = SignInHarness(), SignInHarness()
    outcomes: dict[str, list[Any]] = {"known": [], "unknown": []}
    for number in range(80):
        address = f"192.0.2.{number % 3}"
        outcomes["known"].append(outcome(await known_member.try_sign_in(address=address)))
        outcomes["unknown"].append(
            outcome(await unknown_member.try_sign_in(email, tenant=tenant, address=address))
        )
        known_member.seconds += 7
        unknown_member.seconds += 7

    assert outcomes["known"] == outcomes["unknown"]
    assert {name for name, _ in outcomes["known"]} == {"WrongCredentials", "TooManyAttempts"}
    assert known_member.hash_count == unknown_member.hash_count > 0
    assert known_member.unit_count == unknown_member.unit_count > 0


async def test_known_device_signs_in_during_an_attack_from_the_same_address() -> None:
    harness = SignInHarness(limits=GuessLimits(address=60, tenant=80, platform=90))
    first = await harness.try_sign_in(right=True, address=SCHOOL)
    assert isinstance(first, SignedIn)
    for number in range(200):
        await harness.try_sign_in(address=SCHOOL if number % 2 else f"192.0.2.{number}")
    other_address = await harness.try_sign_in(right=True, address="192.0.2.250")
    same_address = await harness.try_sign_in(right=True, address=SCHOOL)

    known_device = await harness.try_sign_in(
        right=True, address=SCHOOL, device_token=first.device_token
    )

    assert outcome(other_address)[0] == outcome(same_address)[0] == "TooManyAttempts"
    assert outcome(known_device) == ("signed in", None)


async def test_known_device_has_same_limits_as_others() -> None:
    harness = SignInHarness()
    first = await harness.try_sign_in(right=True)
    assert isinstance(first, SignedIn)
    harness.hash_count = 0
    for number in range(100):
        await harness.try_sign_in(device_token=first.device_token, address=f"192.0.2.{number}")

    assert harness.hash_count == 5


async def test_device_token_of_other_member_or_password_gives_no_exemption() -> None:
    harness = SignInHarness()
    own = await harness.try_sign_in(HAMID_EMAIL, right=True)
    old = await harness.try_sign_in(right=True, address=SCHOOL)
    assert isinstance(own, SignedIn)
    assert isinstance(old, SignedIn)
    harness.credentials[ZOE_EMAIL] = Credential(TENANT, ZOE, "a new password's hash")
    for _ in range(10):
        await harness.try_sign_in()
    harness.hash_count = 0

    tokens = [own.device_token, old.device_token, own.tokens.access, "é🗝", "a.b.c", ""]
    results = [await harness.try_sign_in(device_token=token) for token in tokens]

    assert {outcome(result)[0] for result in results} == {"TooManyAttempts"}
    assert harness.hash_count == 0


async def test_device_token_expires_after_a_year() -> None:
    harness = SignInHarness()
    first = await harness.try_sign_in(right=True)
    assert isinstance(first, SignedIn)
    assert harness.deps.tokens.device.read_device(first.device_token) is not None

    harness.seconds = 366 * 86_400.0

    assert harness.deps.tokens.device.read_device(first.device_token) is None


async def test_success_resets_count_of_client_address() -> None:
    harness = SignInHarness()
    for _ in range(4):
        await harness.try_sign_in()
    assert outcome(await harness.try_sign_in(right=True))[0] == "signed in"

    outcomes = [outcome(await harness.try_sign_in())[0] for _ in range(6)]

    assert outcomes == ["WrongCredentials"] * 5 + ["TooManyAttempts"]


async def test_400_people_of_one_school_sign_in_from_one_address() -> None:
    harness = SignInHarness()
    people = [f"eleve{number}@demo.example" for number in range(400)]
    for person in people:
        harness.credentials[person] = harness.credentials[ZOE_EMAIL]
    results = []
    for number, person in enumerate(people):
        harness.seconds += 0.5
        if number % 5 == 0:  # one of five mistypes first
            results.append(await harness.try_sign_in(person, address=SCHOOL))
        command = {"address": SCHOOL, "tenant": "academie"}
        results.append(await harness.try_sign_in(person, right=True, **command))

    names = [outcome(result)[0] for result in results]
    assert names.count("signed in") == 400
    assert names.count("WrongCredentials") == 80


async def test_one_password_tried_for_many_members_is_limited_by_address() -> None:
    harness = SignInHarness(limits=GuessLimits(address=40))
    results = [await harness.try_sign_in(f"eleve{number}@demo.example") for number in range(100)]

    assert harness.hash_count == 40
    assert isinstance(results[-1], TooManyAttempts)
    assert outcome(await harness.try_sign_in(right=True, address=SCHOOL))[0] == "signed in"


async def test_guesses_from_many_addresses_are_limited_by_person() -> None:
    harness = SignInHarness()
    for number in range(200):
        await harness.try_sign_in(address=f"192.0.2.{number}")

    assert harness.hash_count == 30


async def test_overloaded_hashing_counts_no_attempt() -> None:
    harness = SignInHarness(busy=True)
    for _ in range(50):
        assert outcome(await harness.try_sign_in())[0] == "PreauError"
    harness.busy = False

    assert outcome(await harness.try_sign_in(right=True))[0] == "signed in"


async def test_attempts_count_only_on_the_given_failure() -> None:
    harness = SignInHarness()

    async def change_password(error: type[PreauError]) -> None:
        async with limit_attempts(harness.deps, charge_member(TENANT, ZOE), Forbidden):
            raise error

    for _ in range(5):
        with pytest.raises(Forbidden):
            await change_password(Forbidden)
    with pytest.raises(TooManyAttempts):
        await change_password(Forbidden)

    async with limit_attempts(harness.deps, charge_token("refresh", ATTACKER)):
        pass


@pytest.mark.allow_hosts(["127.0.0.1"])
async def test_sign_in_keeps_its_limits_while_redis_is_unavailable() -> None:
    client = RedisClient("redis://127.0.0.1:1/0", NoTelemetry())
    limiter = FallbackLimiter(MemoryLimiter(), RedisLimiter(client), client)
    harness = SignInHarness(limiter=limiter)
    await asyncio.gather(*(harness.try_sign_in() for _ in range(40)))

    assert harness.hash_count == 5
    assert outcome(await harness.try_sign_in(HAMID_EMAIL, right=True))[0] == "signed in"
    assert outcome(await harness.try_sign_in(right=True, address=SCHOOL))[0] == "signed in"
    await limiter.close()


def test_sign_in_errors_do_not_reveal_whether_member_exists() -> None:
    assert WrongCredentials().facts == {}
    assert TooManyAttempts(retry_after=3).facts == {"retry_after": 3}
