"""Access tokens: valid, invalid and forged ones; fetching and caching of keys."""

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


class VerifierHarness:
    """A verifier with a manual clock and a fake key endpoint."""

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

    async def rejects(self, token: str) -> bool:
        with pytest.raises(Unauthorised):
            await self.verifier.verify(token)
        return True


async def test_valid_token_gives_its_claims() -> None:
    zoe = Signer()
    claims = await VerifierHarness(zoe).verifier.verify(zoe.token())
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
async def test_signed_token_with_wrong_claim_is_rejected(claims: dict[str, Any]) -> None:
    zoe = Signer()
    assert await VerifierHarness(zoe).rejects(zoe.token(**claims))


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
async def test_signed_token_with_wrong_header_is_rejected(header: dict[str, Any]) -> None:
    zoe = Signer()
    assert await VerifierHarness(zoe).rejects(zoe.token(header=header))


async def test_token_is_valid_between_its_times_plus_leeway() -> None:
    zoe = Signer()
    harness, token = VerifierHarness(zoe), zoe.token()
    for seconds, holds in (
        (-CLOCK_LEEWAY_SECONDS - 1, False),
        (-CLOCK_LEEWAY_SECONDS, True),
        (LIFETIME_SECONDS + CLOCK_LEEWAY_SECONDS - 1, True),
        (LIFETIME_SECONDS + CLOCK_LEEWAY_SECONDS, False),
    ):
        harness.now = NOON + seconds * SECONDS
        if holds:
            await harness.verifier.verify(token)
        else:
            assert await harness.rejects(token)


async def test_token_cannot_choose_the_algorithm() -> None:
    zoe = Signer()
    harness = VerifierHarness(zoe)
    unsigned = jwt.encode({}, "", algorithm="none", headers={"typ": "at+jwt", "kid": zoe.kid})
    # Algorithm confusion: the public key used as a shared secret.
    secret = zoe.public()["x"].ljust(64, "=")
    shared = jwt.encode({}, secret, "HS256", headers={"typ": "at+jwt", "kid": zoe.kid})
    for token in (
        unsigned,
        shared,
        replace_header(zoe.token(), alg="none", typ="at+jwt", kid=zoe.kid),
    ):
        assert await harness.rejects(token)


async def test_key_of_another_type_is_ignored() -> None:
    secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
    harness = VerifierHarness(Signer())
    harness.jwks.keys.append({"kty": "oct", "k": secret, "kid": "shared", "alg": "HS256"})
    token = jwt.encode({}, secret, "HS256", headers={"typ": "at+jwt", "kid": "shared"})
    assert await harness.rejects(token)


async def test_keys_of_other_types_do_not_displace_ours() -> None:
    zoe = Signer()
    harness = VerifierHarness()
    other_keys = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": f"k{n}", "alg": "HS256"} for n in range(16)
    ]
    harness.jwks.keys = [*other_keys, zoe.public()]
    assert (await harness.verifier.verify(zoe.token())).member_id == example_data.ZOE


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é.é.é", "." * 50, "e30.e30.e30"])
async def test_malformed_token_is_rejected(token: str) -> None:
    assert await VerifierHarness(Signer()).rejects(token)


async def test_signature_of_an_unknown_key_is_rejected() -> None:
    assert await VerifierHarness(Signer()).rejects(Signer().token())


async def test_new_key_is_fetched_and_removed_key_is_rejected() -> None:
    old, new = Signer("old"), Signer("new")
    harness = VerifierHarness(old)
    await harness.verifier.verify(old.token())
    harness.jwks.keys = [new.public()]
    harness.elapsed = REFETCH_AFTER_SECONDS + 1
    await harness.verifier.verify(new.token())
    harness.elapsed *= 3
    assert await harness.rejects(old.token())


async def test_unknown_keys_cause_one_fetch_in_five_seconds() -> None:
    zoe = Signer()
    harness = VerifierHarness(zoe)
    await harness.verifier.verify(zoe.token())
    for number in range(20):
        assert await harness.rejects(Signer(f"forged-{number}").token())
    assert harness.jwks.requests == 1
    harness.elapsed = REFETCH_AFTER_SECONDS + 1
    await asyncio.gather(*(harness.rejects(Signer(f"more-{n}").token()) for n in range(20)))
    assert harness.jwks.requests == 2


async def test_concurrent_requests_fetch_the_keys_once() -> None:
    zoe = Signer()
    harness = VerifierHarness(zoe)
    await asyncio.gather(*(harness.verifier.verify(zoe.token()) for _ in range(50)))
    assert harness.jwks.requests == 1


async def test_verification_without_keys_is_a_transient_error() -> None:
    zoe = Signer()
    harness = VerifierHarness(zoe)
    harness.jwks.down = True
    for _ in range(3):
        with pytest.raises(Transient) as rejected:
            await harness.verifier.verify(zoe.token())
        assert rejected.value.facts["retry_after"] == 2
    assert harness.jwks.requests == 1
    harness.jwks.down, harness.elapsed = False, REFETCH_AFTER_SECONDS + 1
    assert (await harness.verifier.verify(zoe.token())).member_id == example_data.ZOE


async def test_known_keys_are_used_while_identity_is_down() -> None:
    zoe = Signer()
    harness = VerifierHarness(zoe)
    await harness.verifier.verify(zoe.token())
    harness.jwks.down, harness.elapsed = True, 100.0
    with pytest.raises(Transient):
        await harness.verifier.verify(Signer("other").token())
    assert (await harness.verifier.verify(zoe.token())).member_id == example_data.ZOE


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"keys": []}', b'{"keys": 5}'], ids=str)
async def test_invalid_key_set_is_a_transient_error(body: bytes) -> None:
    harness = VerifierHarness()
    harness.jwks.body = body
    with pytest.raises(Transient):
        await harness.verifier.verify(Signer().token())


async def test_large_key_set_is_not_read_completely() -> None:
    zoe = Signer()
    harness = VerifierHarness(zoe)
    harness.jwks.body = json.dumps({"keys": [zoe.public()]}).encode() + b" " * 200_000
    with pytest.raises(Transient):
        await harness.verifier.verify(zoe.token())


async def test_verified_tokens_are_cached_up_to_a_maximum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    zoe = Signer()
    harness = VerifierHarness(zoe)
    decoded: list[str] = []
    decode = jwt.decode

    def decode_and_record(token: str, *arguments: Any, **options: Any) -> dict[str, Any]:
        decoded.append(token)
        return decode(token, *arguments, **options)

    monkeypatch.setattr("shared.kit.web.tokens.jwt.decode", decode_and_record)
    monkeypatch.setattr("shared.kit.web.tokens.MAX_CACHED_TOKENS", 2)
    first, second, third = (zoe.token(sid=f"s-{number}") for number in range(3))
    for token in (first, first, second, first, third, second, first):
        assert (await harness.verifier.verify(token)).member_id == example_data.ZOE
    # The third token evicted the first.
    assert decoded == [first, second, third, first]
    assert await harness.rejects(replace_header(first, alg="EdDSA", typ="at+jwt", kid=zoe.kid))


async def test_withdrawn_key_is_rejected_after_the_refresh() -> None:
    old, new = Signer("old"), Signer("new")
    harness = VerifierHarness(old)
    await harness.verifier.verify(old.token())
    harness.jwks.keys = [new.public()]
    harness.elapsed = REFRESH_AFTER_SECONDS
    await harness.verifier.verify(old.token())
    harness.elapsed = REFRESH_AFTER_SECONDS + 1
    assert await harness.rejects(old.token())
    assert harness.jwks.requests == 2


async def test_replaced_key_of_the_same_id_is_rejected() -> None:
    old, new = Signer("k"), Signer("k")
    harness = VerifierHarness(old)
    await harness.verifier.verify(old.token())
    harness.jwks.keys = [new.public()]
    harness.elapsed = REFRESH_AFTER_SECONDS + 1
    assert await harness.rejects(old.token())


async def test_refresh_of_the_same_keys_keeps_the_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    zoe = Signer()
    harness, token = VerifierHarness(zoe), zoe.token()
    await harness.verifier.verify(token)
    harness.elapsed = REFRESH_AFTER_SECONDS + 1
    monkeypatch.setattr("shared.kit.web.tokens.jwt.decode", None)
    await asyncio.gather(*(harness.verifier.verify(token) for _ in range(20)))
    assert harness.jwks.requests == 2


async def test_keys_expire_when_identity_stays_unavailable() -> None:
    zoe = Signer()
    harness = VerifierHarness(zoe)
    await harness.verifier.verify(zoe.token())
    harness.jwks.down = True
    while harness.elapsed < MAX_STALE_KEYS_SECONDS - RETRY_AFTER_SECONDS:
        harness.elapsed += RETRY_AFTER_SECONDS + 1
        await harness.verifier.verify(zoe.token())
    assert harness.jwks.requests <= MAX_STALE_KEYS_SECONDS / RETRY_AFTER_SECONDS
    harness.elapsed = MAX_STALE_KEYS_SECONDS + RETRY_AFTER_SECONDS + 1
    for _ in range(2):
        with pytest.raises(Transient):
            await harness.verifier.verify(zoe.token())
    harness.jwks.down = False
    harness.elapsed += REFETCH_AFTER_SECONDS + 1
    assert (await harness.verifier.verify(zoe.token())).member_id == example_data.ZOE
