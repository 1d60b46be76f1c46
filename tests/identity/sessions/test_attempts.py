"""Guessing is slowed down for everybody alike; nobody is locked out by others."""

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
from services.identity.sessions.policy import guess_of_member, guess_of_token
from shared.contracts.cast import TENANT, ZOE
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

Answer = SignedIn | PreauError


def outcome(answer: Answer) -> tuple[str, object]:
    if isinstance(answer, PreauError):
        return type(answer).__name__, answer.facts.get("retry_after")
    return "signed in", None


async def test_160_concurrent_wrong_passwords_are_hashed_five_times() -> None:
    attacked = SignInHarness()
    for _ in range(4):
        await asyncio.gather(*(attacked.try_sign_in() for _ in range(40)))

    assert attacked.hash_count == 5
    assert outcome(await attacked.try_sign_in(right=True)) == ("TooManyAttempts", 30)


async def test_wait_grows_and_right_password_works_after_it() -> None:
    attacked = SignInHarness()
    waits: list[int] = []
    while len(waits) < 4:
        answer = await attacked.try_sign_in()
        if isinstance(answer, TooManyAttempts):
            waits.append(int(str(answer.facts["retry_after"])))
            attacked.seconds += waits[-1]

    assert waits == [30, 90, 480, 3_000]
    assert attacked.hash_count == 16
    assert outcome(await attacked.try_sign_in(right=True)) == ("signed in", None)


@pytest.mark.parametrize(
    ("tenant", "email"), [("academie", NO_EMAIL), ("ailleurs", ZOE_EMAIL), ("ailleurs", NO_EMAIL)]
)
async def test_unknown_members_and_tenants_get_same_responses_as_known(
    tenant: str, email: str
) -> None:
    known, unknown = SignInHarness(), SignInHarness()
    answers: dict[str, list[Any]] = {"known": [], "unknown": []}
    for number in range(80):
        place = f"192.0.2.{number % 3}"
        answers["known"].append(outcome(await known.try_sign_in(address=place)))
        answers["unknown"].append(
            outcome(await unknown.try_sign_in(email, tenant=tenant, address=place))
        )
        known.seconds += 7
        unknown.seconds += 7

    assert answers["known"] == answers["unknown"]
    assert {name for name, _ in answers["known"]} == {"WrongCredentials", "TooManyAttempts"}
    assert known.hash_count == unknown.hash_count > 0
    assert known.unit_count == unknown.unit_count > 0


async def test_known_device_signs_in_during_an_attack_from_the_same_address() -> None:
    attacked = SignInHarness(limits=GuessLimits(address=60, tenant=80, platform=90))
    first = await attacked.try_sign_in(right=True, address=SCHOOL)
    assert isinstance(first, SignedIn)
    for number in range(200):
        await attacked.try_sign_in(address=SCHOOL if number % 2 else f"192.0.2.{number}")
    elsewhere = await attacked.try_sign_in(right=True, address="192.0.2.250")
    same_place = await attacked.try_sign_in(right=True, address=SCHOOL)

    again = await attacked.try_sign_in(right=True, address=SCHOOL, device_token=first.device_token)

    assert outcome(elsewhere)[0] == outcome(same_place)[0] == "TooManyAttempts"
    assert outcome(again) == ("signed in", None)


async def test_known_device_has_same_limits_as_others() -> None:
    attacked = SignInHarness()
    first = await attacked.try_sign_in(right=True)
    assert isinstance(first, SignedIn)
    attacked.hash_count = 0
    for number in range(100):
        await attacked.try_sign_in(device_token=first.device_token, address=f"192.0.2.{number}")

    assert attacked.hash_count == 5


async def test_device_token_of_other_member_or_password_gives_no_exemption() -> None:
    attacked = SignInHarness()
    own = await attacked.try_sign_in(HAMID_EMAIL, right=True)
    old = await attacked.try_sign_in(right=True, address=SCHOOL)
    assert isinstance(own, SignedIn)
    assert isinstance(old, SignedIn)
    attacked.credentials[ZOE_EMAIL] = Credential(TENANT, ZOE, "a new password's hash")
    for _ in range(10):
        await attacked.try_sign_in()
    attacked.hash_count = 0

    tokens = [own.device_token, old.device_token, own.tokens.access, "é🗝", "a.b.c", ""]
    answers = [await attacked.try_sign_in(device_token=token) for token in tokens]

    assert {outcome(answer)[0] for answer in answers} == {"TooManyAttempts"}
    assert attacked.hash_count == 0


async def test_device_token_expires_after_a_year() -> None:
    attacked = SignInHarness()
    first = await attacked.try_sign_in(right=True)
    assert isinstance(first, SignedIn)
    assert attacked.deps.signer.read_device(first.device_token) is not None

    attacked.seconds = 366 * 86_400.0

    assert attacked.deps.signer.read_device(first.device_token) is None


async def test_success_resets_count_of_client_address() -> None:
    attacked = SignInHarness()
    for _ in range(4):
        await attacked.try_sign_in()
    assert outcome(await attacked.try_sign_in(right=True))[0] == "signed in"

    answers = [outcome(await attacked.try_sign_in())[0] for _ in range(6)]

    assert answers == ["WrongCredentials"] * 5 + ["TooManyAttempts"]


async def test_400_people_of_one_school_sign_in_from_one_address() -> None:
    attacked = SignInHarness()
    people = [f"eleve{number}@demo.example" for number in range(400)]
    for person in people:
        attacked.credentials[person] = attacked.credentials[ZOE_EMAIL]
    answers = []
    for number, person in enumerate(people):
        attacked.seconds += 0.5
        if number % 5 == 0:  # one of five mistypes first
            answers.append(await attacked.try_sign_in(person, address=SCHOOL))
        command = {"address": SCHOOL, "tenant": "academie"}
        answers.append(await attacked.try_sign_in(person, right=True, **command))

    names = [outcome(answer)[0] for answer in answers]
    assert names.count("signed in") == 400
    assert names.count("WrongCredentials") == 80


async def test_one_password_tried_for_many_members_is_limited_by_address() -> None:
    attacked = SignInHarness(limits=GuessLimits(address=40))
    answers = [await attacked.try_sign_in(f"eleve{number}@demo.example") for number in range(100)]

    assert attacked.hash_count == 40
    assert isinstance(answers[-1], TooManyAttempts)
    assert outcome(await attacked.try_sign_in(right=True, address=SCHOOL))[0] == "signed in"


async def test_guesses_from_many_addresses_are_limited_by_person() -> None:
    attacked = SignInHarness()
    for number in range(200):
        await attacked.try_sign_in(address=f"192.0.2.{number}")

    assert attacked.hash_count == 30


async def test_overloaded_hashing_counts_no_attempt() -> None:
    attacked = SignInHarness(busy=True)
    for _ in range(50):
        assert outcome(await attacked.try_sign_in())[0] == "PreauError"
    attacked.busy = False

    assert outcome(await attacked.try_sign_in(right=True))[0] == "signed in"


async def test_attempts_count_only_on_the_given_failure() -> None:
    attacked = SignInHarness()

    async def change_password(error: type[PreauError]) -> None:
        async with limit_attempts(attacked.deps, guess_of_member(TENANT, ZOE), Forbidden):
            raise error

    for _ in range(5):
        with pytest.raises(Forbidden):
            await change_password(Forbidden)
    with pytest.raises(TooManyAttempts):
        await change_password(Forbidden)

    async with limit_attempts(attacked.deps, guess_of_token("refresh", ATTACKER)):
        pass


@pytest.mark.allow_hosts(["127.0.0.1"])
async def test_sign_in_keeps_its_limits_while_redis_is_unavailable() -> None:
    client = RedisClient("redis://127.0.0.1:1/0", NoTelemetry())
    limiter = FallbackLimiter(MemoryLimiter(), RedisLimiter(client), client)
    attacked = SignInHarness(limiter=limiter)
    await asyncio.gather(*(attacked.try_sign_in() for _ in range(40)))

    assert attacked.hash_count == 5
    assert outcome(await attacked.try_sign_in(HAMID_EMAIL, right=True))[0] == "signed in"
    assert outcome(await attacked.try_sign_in(right=True, address=SCHOOL))[0] == "signed in"
    await limiter.close()


def test_sign_in_errors_do_not_reveal_whether_member_exists() -> None:
    assert WrongCredentials().facts == {}
    assert TooManyAttempts(retry_after=3).facts == {"retry_after": 3}
