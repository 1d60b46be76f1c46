"""Verifies access tokens with identity's public keys, without a call to identity per token."""

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
"""Minimum time between fetches for unknown keys, so that forged tokens do not cause requests."""
REFRESH_AFTER_SECONDS = 180.0
"""Age at which keys are fetched again, so that a key withdrawn by identity is rejected."""
RETRY_AFTER_SECONDS = 15.0
"""Pause between two attempts to refresh the keys while identity is unavailable."""
MAX_STALE_KEYS_SECONDS = 3_600.0
"""How long keys are used while identity is unavailable; then all tokens are rejected."""
MAX_KEYS = 16
MAX_KEY_SET_BYTES = 100_000
"""Larger than a key set of ten times `MAX_KEYS`."""
MAX_CACHED_TOKENS = 10_000
"""Verified tokens in the cache, which takes some megabytes."""


log = get_logger("auth")


@dataclass(frozen=True, slots=True)
class _VerifiedToken:
    """The content of a token with a valid signature, issuer and audience; times in seconds."""

    claims: Claims
    not_before: float
    expires: float


class JwksVerifier:
    """Verifies tokens with identity's keys, which are fetched every few minutes or when unknown.

    A verified token is cached by its digest until the keys change; its times are checked at each
    request. `clock` is compared with the times of a token, `elapsed` (seconds) spaces the fetches,
    `transport` reaches identity (default: the network).
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
        self._attempted_at = self._fetched_at = float("-inf")
        self._fetch_succeeded = False
        self._fetch_lock = asyncio.Lock()
        self._verified: dict[bytes, _VerifiedToken] = {}

    async def verify(self, token: str) -> Claims:
        """Check signature, type, issuer, audience and times. Raises `Unauthorised`, `Transient`."""
        await self._refresh()
        digest = hashlib.sha256(token.encode()).digest()
        verified = self._verified.get(digest)
        if verified is None:
            verified = await self._verify_signature(token)
            self._cache(digest, verified)
        now = self._clock().timestamp()
        if now >= verified.expires + CLOCK_LEEWAY_SECONDS:
            raise Unauthorised(reason="ExpiredSignatureError")
        if now < verified.not_before - CLOCK_LEEWAY_SECONDS:
            raise Unauthorised(reason="ImmatureSignatureError")
        return verified.claims

    def _cache(self, digest: bytes, verified: _VerifiedToken) -> None:
        while len(self._verified) >= MAX_CACHED_TOKENS:
            del self._verified[next(iter(self._verified))]
        self._verified[digest] = verified

    async def _verify_signature(self, token: str) -> _VerifiedToken:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError as error:
            raise Unauthorised(reason="not a token") from error
        # Security: the token chooses neither the algorithm nor the place of the key.
        if header.get("typ") != TOKEN_TYPE or {"jku", "x5u", "x5c", "jwk"} & header.keys():
            raise Unauthorised(reason="not an access token")
        key = await self._find_key(str(header.get("kid", "")))
        # Trap: from here to `_cache` nothing is awaited, or the keys could be replaced meanwhile.
        try:
            content = jwt.decode(
                token,
                key.key,
                algorithms=list(ALGORITHMS),
                issuer=self._issuer,
                audience=self._audience,
                # Times are checked by `verify`, since PyJWT cannot use another clock.
                options={"require": list(_REQUIRED), "verify_exp": False, "verify_nbf": False},
            )
            return _VerifiedToken(
                _parse_claims(content), float(content["nbf"]), float(content["exp"])
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise Unauthorised(reason=type(error).__name__) from error

    async def _find_key(self, kid: str) -> jwt.PyJWK:
        if kid not in self._keys:
            async with self._fetch_lock:
                if (
                    kid not in self._keys
                    and self._elapsed() - self._attempted_at > REFETCH_AFTER_SECONDS
                ):
                    await self._fetch()
        if kid in self._keys:
            return self._keys[kid]
        if self._fetch_succeeded:
            raise Unauthorised(reason="unknown key")
        raise Transient(internal_reason="no keys", retry_after=2)

    async def _refresh(self) -> None:
        """Fetch old keys again; meanwhile other requests use the present ones.

        Raises `Transient` when identity is unavailable and the keys are too old to be used.
        """
        if not self._is_due() or (
            self._fetch_lock.locked() and self._age() < 2 * REFRESH_AFTER_SECONDS
        ):
            return
        async with self._fetch_lock:
            if not self._is_due():
                return
            try:
                await self._fetch()
            except Transient as error:
                if self._age() > MAX_STALE_KEYS_SECONDS:
                    self._keys = {}
                    self._verified.clear()
                    raise
                log.warning("keys not refreshed", error=str(error), age=round(self._age()))

    def _age(self) -> float:
        return self._elapsed() - self._fetched_at

    def _is_due(self) -> bool:
        may_retry = self._elapsed() - self._attempted_at > RETRY_AFTER_SECONDS
        return bool(self._keys) and may_retry and self._age() > REFRESH_AFTER_SECONDS

    async def _fetch(self) -> None:
        """Fetch and replace the keys. Raises `Transient` when identity sends no valid key set."""
        self._attempted_at, self._fetch_succeeded = self._elapsed(), False
        try:
            keys = jwt.PyJWKSet.from_dict(json.loads(await self._download())).keys
        except (httpx.HTTPError, jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
            raise Transient(
                internal_reason=f"jwks: {type(error).__name__}", retry_after=2
            ) from error
        # Security: a key of another type would select another algorithm.
        supported = [key for key in keys if key.key_id and key.algorithm_name in ALGORITHMS]
        fetched = {str(key.key_id): key for key in supported[:MAX_KEYS]}
        if _key_bytes(fetched) != _key_bytes(self._keys):
            self._verified.clear()
        self._keys, self._fetched_at, self._fetch_succeeded = fetched, self._elapsed(), True

    async def _download(self) -> bytes:
        body = b""
        async with (
            httpx.AsyncClient(timeout=5, transport=self._transport) as client,
            client.stream("GET", self._url) as response,
        ):
            response.raise_for_status()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_KEY_SET_BYTES:
                    raise ValueError("the key set is too large")
        return body


def _key_bytes(keys: Mapping[str, jwt.PyJWK]) -> dict[str, object]:
    return {kid: key.key.public_bytes_raw() for kid, key in keys.items()}


_REQUIRED = ("exp", "nbf", "iss", "aud", "sub", "tenant", "sid")


def _parse_claims(claims: dict[str, Any]) -> Claims:
    return Claims(
        MemberId(UUID(str(claims["sub"]))),
        TenantId(UUID(str(claims["tenant"]))),
        str(claims["sid"]),
    )
