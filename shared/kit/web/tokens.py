"""Access tokens: every service verifies them by itself, with identity's public keys."""

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import jwt

from shared.contracts.ids import MemberId, TenantId
from shared.kit.core.access_tokens import ALGORITHMS, CLOCK_LEEWAY_SECONDS, TOKEN_TYPE, Claims
from shared.kit.core.errors import Transient, Unauthorised
from shared.kit.core.unit_of_work import Clock
from shared.kit.telemetry.logs import get_logger

REFETCH_AFTER_SECONDS = 5.0
"""Seconds before an unknown key makes us ask again: a forger must not cost a request each time."""
REFRESH_AFTER_SECONDS = 180.0
"""Seconds after which keys are asked for again: a key that identity withdrew dies here too."""
RETRY_AFTER_SECONDS = 15.0
"""Seconds between two tries to refresh keys that could not be had."""
MAX_STALE_KEYS_SECONDS = 3_600.0
"""Seconds that keys hold while identity does not give any: after that, tokens are refused."""
MAX_KEYS = 16
MAX_KEY_SET_BYTES = 100_000
"""Bytes of a key set, which no tenfold of `MAX_KEYS` fills."""
MAX_CACHED_TOKENS = 10_000
"""Tokens whose signature is remembered as good: some megabytes."""


log = get_logger("auth")


@dataclass(frozen=True, slots=True)
class _Signed:
    """What a token says whose signature, issuer and audience hold; its times are in seconds."""

    claims: Claims
    begins: float
    ends: float


class JwksVerifier:
    """Verifies with the keys that identity serves, kept in memory.

    They are fetched again for an unknown key, and every few minutes.

    What a token says is remembered by its digest until the keys are replaced, for it cannot change;
    its times are held against the clock at each request, and rights are none of a token's business.
    `clock` is what the times in a token are held against, `elapsed` (seconds) what fetches are
    spaced by, `transport` how the keys are reached: the network if left out.
    """

    def __init__(
        self,
        url: str,
        *,
        issuer: str,
        audience: str,
        clock: Clock = lambda: datetime.now(UTC),
        elapsed: Callable[[], float] = time.monotonic,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url, self._issuer, self._audience = url, issuer, audience
        self._clock, self._elapsed, self._transport = clock, elapsed, transport
        self._keys: dict[str, jwt.PyJWK] = {}
        self._asked = self._fetched = float("-inf")
        self._answered = False
        self._fetching = asyncio.Lock()
        self._known: dict[bytes, _Signed] = {}

    async def verify(self, token: str) -> Claims:
        """Check signature, type, issuer, audience and times."""
        await self._refresh()
        digest = hashlib.sha256(token.encode()).digest()
        signed = self._known.get(digest)
        if signed is None:
            signed = await self._signed(token)
            self._remember(digest, signed)
        now = self._clock().timestamp()
        if now >= signed.ends + CLOCK_LEEWAY_SECONDS:
            raise Unauthorised(reason="ExpiredSignatureError")
        if now < signed.begins - CLOCK_LEEWAY_SECONDS:
            raise Unauthorised(reason="ImmatureSignatureError")
        return signed.claims

    def _remember(self, digest: bytes, signed: _Signed) -> None:
        while len(self._known) >= MAX_CACHED_TOKENS:
            del self._known[next(iter(self._known))]
        self._known[digest] = signed

    async def _signed(self, token: str) -> _Signed:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError as error:
            raise Unauthorised(reason="not a token") from error
        # The algorithm is ours to choose, and a key's address is never the token's to say.
        if header.get("typ") != TOKEN_TYPE or {"jku", "x5u", "x5c", "jwk"} & header.keys():
            raise Unauthorised(reason="not an access token")
        key = await self._key(str(header.get("kid", "")))
        # Trap: from here to `_remember` nothing is awaited, or the keys could be others by then.
        try:
            said = jwt.decode(
                token,
                key.key,
                algorithms=list(ALGORITHMS),
                issuer=self._issuer,
                audience=self._audience,
                # PyJWT has a clock of its own; ours is handed in.
                options={"require": list(_REQUIRED), "verify_exp": False, "verify_nbf": False},
            )
            return _Signed(_claims(said), float(said["nbf"]), float(said["exp"]))
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise Unauthorised(reason=type(error).__name__) from error

    async def _key(self, kid: str) -> jwt.PyJWK:
        if kid not in self._keys:
            async with self._fetching:
                if kid not in self._keys and self._elapsed() - self._asked > REFETCH_AFTER_SECONDS:
                    await self._fetch()
        if kid in self._keys:
            return self._keys[kid]
        if self._answered:
            raise Unauthorised(reason="unknown key")
        raise Transient(because="no keys", retry_after=2)

    async def _refresh(self) -> None:
        """Ask for old keys again; other requests go on with what is known meanwhile.

        Raises `Transient` when they are too old to be believed.
        """
        if not self._is_due() or (
            self._fetching.locked() and self._age() < 2 * REFRESH_AFTER_SECONDS
        ):
            return
        async with self._fetching:
            if not self._is_due():
                return
            try:
                await self._fetch()
            except Transient as error:
                if self._age() > MAX_STALE_KEYS_SECONDS:
                    self._keys = {}
                    self._known.clear()
                    raise
                log.warning("keys not refreshed", error=str(error), age=round(self._age()))

    def _age(self) -> float:
        return self._elapsed() - self._fetched

    def _is_due(self) -> bool:
        again = self._elapsed() - self._asked > RETRY_AFTER_SECONDS
        return bool(self._keys) and again and self._age() > REFRESH_AFTER_SECONDS

    async def _fetch(self) -> None:
        """Replace the keys. Raises `Transient` when identity does not give any."""
        self._asked, self._answered = self._elapsed(), False
        try:
            keys = jwt.PyJWKSet.from_dict(json.loads(await self._download())).keys
        except (httpx.HTTPError, jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
            raise Transient(because=f"jwks: {type(error).__name__}", retry_after=2) from error
        # Another kind of key would be taken by another algorithm than ours.
        fitting = [key for key in keys if key.key_id and key.algorithm_name in ALGORITHMS]
        fetched = {str(key.key_id): key for key in fitting[:MAX_KEYS]}
        if _material(fetched) != _material(self._keys):
            self._known.clear()
        self._keys, self._fetched, self._answered = fetched, self._elapsed(), True

    async def _download(self) -> bytes:
        body = b""
        async with (
            httpx.AsyncClient(timeout=5, transport=self._transport) as client,
            client.stream("GET", self._url) as answer,
        ):
            answer.raise_for_status()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > MAX_KEY_SET_BYTES:
                    raise ValueError("a key set as large as this is none")
        return body


def _material(keys: Mapping[str, jwt.PyJWK]) -> dict[str, object]:
    return {kid: key.key.public_bytes_raw() for kid, key in keys.items()}


_REQUIRED = ("exp", "nbf", "iss", "aud", "sub", "tenant", "sid")


def _claims(claims: dict[str, Any]) -> Claims:
    return Claims(
        MemberId(UUID(str(claims["sub"]))),
        TenantId(UUID(str(claims["tenant"]))),
        str(claims["sid"]),
    )
