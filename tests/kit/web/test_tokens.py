"""Access tokens: what holds, what does not, and what an attacker tries."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

import jwt
import pytest

from shared.contracts import example_data
from shared.kit.core.access_tokens import CLOCK_LEEWAY_SECONDS, LIFETIME_SECONDS, Claims
from shared.kit.core.errors import Transient, Unauthorised
from shared.kit.web.tokens import (
    MAX_STALE_KEYS_SECONDS,
    REFETCH_AFTER_SECONDS,
    REFRESH_AFTER_SECONDS,
    RETRY_AFTER_SECONDS,
    JwksVerifier,
)
from tests.support.tokens import AUDIENCE, ISSUER, NOON, FakeJwksEndpoint, Signer, replace_header

URL = "https://identity.test/jwks.json"
SECONDS = timedelta(seconds=1)


class World:
    """A verifier, the clock it reads and the keys it may fetch."""

    def __init__(self, *signers: Signer) -> None:
        self.now: datetime = NOON
        self.elapsed = 0.0
        self.jwks = FakeJwksEndpoint([signer.public() for signer in signers])
        self.verifier = JwksVerifier(
            URL,
            issuer=ISSUER,
            audience=AUDIENCE,
            clock=lambda: self.now,
            elapsed=lambda: self.elapsed,
            transport=self.jwks,
        )

    async def refuses(self, token: str) -> bool:
        with pytest.raises(Unauthorised):
            await self.verifier.verify(token)
        return True


async def test_a_token_of_identity_says_who_is_there() -> None:
    zoe = Signer()
    claims = await World(zoe).verifier.verify(zoe.token())
    assert claims == Claims(example_data.ZOE, example_data.TENANT, "s-1")


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.test"},
        {"aud": "another"},
        {"sub": "not-a-uuid"},
        {"sub": None},
        {"tenant": None},
        {"tenant": 5},
        {"sid": None},
        {"exp": None},
        {"exp": "tomorrow"},
        {"nbf": None},
        {"iss": None},
        {"aud": None},
    ],
    ids=str,
)
async def test_a_signed_token_with_another_claim_does_not_hold(claims: dict[str, Any]) -> None:
    zoe = Signer()
    assert await World(zoe).refuses(zoe.token(**claims))


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"typ": None},
        {"jku": URL},
        {"x5u": URL},
        {"x5c": ["MIIB"]},
        {"jwk": {"kty": "OKP"}},
        {"crit": ["unheard-of"], "unheard-of": 1},
    ],
    ids=str,
)
async def test_a_signed_token_with_another_header_does_not_hold(header: dict[str, Any]) -> None:
    zoe = Signer()
    assert await World(zoe).refuses(zoe.token(header=header))


async def test_a_token_holds_between_its_times_give_or_take_the_leeway() -> None:
    zoe = Signer()
    world, token = World(zoe), zoe.token()
    for seconds, holds in (
        (-CLOCK_LEEWAY_SECONDS - 1, False),
        (-CLOCK_LEEWAY_SECONDS, True),
        (LIFETIME_SECONDS + CLOCK_LEEWAY_SECONDS - 1, True),
        (LIFETIME_SECONDS + CLOCK_LEEWAY_SECONDS, False),
    ):
        world.now = NOON + seconds * SECONDS
        if holds:
            await world.verifier.verify(token)
        else:
            assert await world.refuses(token)


async def test_the_algorithm_is_never_the_tokens_to_choose() -> None:
    zoe = Signer()
    world = World(zoe)
    unsigned = jwt.encode({}, "", algorithm="none", headers={"typ": "at+jwt", "kid": zoe.kid})
    # Confusion: the public key, known to all, taken as a shared secret.
    secret = zoe.public()["x"].ljust(64, "=")
    shared = jwt.encode({}, secret, "HS256", headers={"typ": "at+jwt", "kid": zoe.kid})
    for token in (
        unsigned,
        shared,
        replace_header(zoe.token(), alg="none", typ="at+jwt", kid=zoe.kid),
    ):
        assert await world.refuses(token)


async def test_a_key_of_another_kind_is_not_taken_up() -> None:
    secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
    world = World(Signer())
    world.jwks.keys.append({"kty": "oct", "k": secret, "kid": "shared", "alg": "HS256"})
    token = jwt.encode({}, secret, "HS256", headers={"typ": "at+jwt", "kid": "shared"})
    assert await world.refuses(token)


async def test_keys_of_other_kinds_do_not_crowd_out_ours() -> None:
    zoe = Signer()
    world = World()
    others = [{"kty": "oct", "k": "c2VjcmV0", "kid": f"k{n}", "alg": "HS256"} for n in range(16)]
    world.jwks.keys = [*others, zoe.public()]
    assert (await world.verifier.verify(zoe.token())).member_id == example_data.ZOE


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é.é.é", "." * 50, "e30.e30.e30"])
async def test_what_is_no_token_does_not_hold(token: str) -> None:
    assert await World(Signer()).refuses(token)


async def test_anothers_signature_does_not_hold() -> None:
    assert await World(Signer()).refuses(Signer().token())


async def test_a_new_key_is_fetched_and_an_old_one_forgotten() -> None:
    old, new = Signer("old"), Signer("new")
    world = World(old)
    await world.verifier.verify(old.token())
    world.jwks.keys = [new.public()]
    world.elapsed = REFETCH_AFTER_SECONDS + 1
    await world.verifier.verify(new.token())
    world.elapsed *= 3
    assert await world.refuses(old.token())


async def test_a_flood_of_unknown_keys_costs_one_request_in_five_seconds() -> None:
    zoe = Signer()
    world = World(zoe)
    await world.verifier.verify(zoe.token())
    for number in range(20):
        assert await world.refuses(Signer(f"forged-{number}").token())
    assert world.jwks.requests == 1
    world.elapsed = REFETCH_AFTER_SECONDS + 1
    await asyncio.gather(*(world.refuses(Signer(f"more-{n}").token()) for n in range(20)))
    assert world.jwks.requests == 2


async def test_requests_that_start_together_fetch_the_keys_once() -> None:
    zoe = Signer()
    world = World(zoe)
    await asyncio.gather(*(world.verifier.verify(zoe.token()) for _ in range(50)))
    assert world.jwks.requests == 1


async def test_without_keys_it_is_not_the_callers_fault() -> None:
    zoe = Signer()
    world = World(zoe)
    world.jwks.down = True
    for _ in range(3):
        with pytest.raises(Transient) as refused:
            await world.verifier.verify(zoe.token())
        assert refused.value.facts["retry_after"] == 2
    assert world.jwks.requests == 1
    world.jwks.down, world.elapsed = False, REFETCH_AFTER_SECONDS + 1
    assert (await world.verifier.verify(zoe.token())).member_id == example_data.ZOE


async def test_known_keys_go_on_while_identity_is_down() -> None:
    zoe = Signer()
    world = World(zoe)
    await world.verifier.verify(zoe.token())
    world.jwks.down, world.elapsed = True, 100.0
    with pytest.raises(Transient):
        await world.verifier.verify(Signer("other").token())
    assert (await world.verifier.verify(zoe.token())).member_id == example_data.ZOE


@pytest.mark.parametrize(
    "answer", [b"", b"<html>", b"[]", b'{"keys": []}', b'{"keys": 5}'], ids=str
)
async def test_an_answer_that_is_no_key_set_is_not_the_callers_fault(answer: bytes) -> None:
    world = World()
    world.jwks.body = answer
    with pytest.raises(Transient):
        await world.verifier.verify(Signer().token())


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    zoe = Signer()
    world = World(zoe)
    world.jwks.body = json.dumps({"keys": [zoe.public()]}).encode() + b" " * 200_000
    with pytest.raises(Transient):
        await world.verifier.verify(zoe.token())


async def test_a_signature_is_looked_at_once_and_so_many_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    zoe = Signer()
    world = World(zoe)
    looked: list[str] = []
    decode = jwt.decode

    def watched(token: str, *given: Any, **more: Any) -> dict[str, Any]:
        looked.append(token)
        return decode(token, *given, **more)

    monkeypatch.setattr("shared.kit.web.tokens.jwt.decode", watched)
    monkeypatch.setattr("shared.kit.web.tokens.MAX_CACHED_TOKENS", 2)
    first, second, third = (zoe.token(sid=f"s-{number}") for number in range(3))
    for token in (first, first, second, first, third, second, first):
        assert (await world.verifier.verify(token)).member_id == example_data.ZOE
    # The third put the first out.
    assert looked == [first, second, third, first]
    assert await world.refuses(replace_header(first, alg="EdDSA", typ="at+jwt", kid=zoe.kid))


async def test_withdrawn_key_dies_where_nobody_new_comes() -> None:
    old, new = Signer("old"), Signer("new")
    world = World(old)
    await world.verifier.verify(old.token())
    world.jwks.keys = [new.public()]
    world.elapsed = REFRESH_AFTER_SECONDS
    await world.verifier.verify(old.token())
    world.elapsed = REFRESH_AFTER_SECONDS + 1
    assert await world.refuses(old.token())
    assert world.jwks.requests == 2


async def test_replaced_key_of_the_same_name_dies() -> None:
    old, new = Signer("k"), Signer("k")
    world = World(old)
    await world.verifier.verify(old.token())
    world.jwks.keys = [new.public()]
    world.elapsed = REFRESH_AFTER_SECONDS + 1
    assert await world.refuses(old.token())


async def test_refreshing_the_same_keys_checks_no_signature_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    zoe = Signer()
    world, token = World(zoe), zoe.token()
    await world.verifier.verify(token)
    world.elapsed = REFRESH_AFTER_SECONDS + 1
    monkeypatch.setattr("shared.kit.web.tokens.jwt.decode", None)
    await asyncio.gather(*(world.verifier.verify(token) for _ in range(20)))
    assert world.jwks.requests == 2


async def test_keys_hold_for_a_bounded_time_without_an_answer() -> None:
    zoe = Signer()
    world = World(zoe)
    await world.verifier.verify(zoe.token())
    world.jwks.down = True
    while world.elapsed < MAX_STALE_KEYS_SECONDS - RETRY_AFTER_SECONDS:
        world.elapsed += RETRY_AFTER_SECONDS + 1
        await world.verifier.verify(zoe.token())
    assert world.jwks.requests <= MAX_STALE_KEYS_SECONDS / RETRY_AFTER_SECONDS
    world.elapsed = MAX_STALE_KEYS_SECONDS + RETRY_AFTER_SECONDS + 1
    for _ in range(2):
        with pytest.raises(Transient):
            await world.verifier.verify(zoe.token())
    world.jwks.down = False
    world.elapsed += REFETCH_AFTER_SECONDS + 1
    assert (await world.verifier.verify(zoe.token())).member_id == example_data.ZOE
