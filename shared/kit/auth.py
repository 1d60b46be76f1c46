"""Access tokens: every service verifies them by itself, with identity's public keys."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import httpx
import jwt

from shared.contracts.ids import MemberId, TenantId
from shared.kit.errors import Transient, Unauthorised

ALGORITHMS = ("EdDSA",)
TYPE = "at+jwt"
LIFETIME = 600
"""Seconds. A suspension does not wait for it: it arrives as an event."""
LEEWAY = 5
REFETCH_AFTER = 5.0
MAX_KEYS = 16


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says: who, in which tenant, in which session. Nothing of rights."""

    member_id: MemberId
    tenant: TenantId
    session: str


class Verifier(Protocol):
    """Checks access tokens."""

    async def verify(self, token: str) -> Claims:
        """Give what the token says. Raises `Unauthorised`, or `Transient` without keys."""


class JwksVerifier:
    """Verifies with the keys that identity serves, kept in memory, fetched again for a new one."""

    def __init__(self, url: str, *, issuer: str, audience: str) -> None:
        self._url, self._issuer, self._audience = url, issuer, audience
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = float("-inf")
        self._fetching = asyncio.Lock()

    async def verify(self, token: str) -> Claims:
        """Check signature, type, issuer, audience and times."""
        try:
            header = jwt.get_unverified_header(token)
            # The algorithm is ours to choose, and a key's address is never the token's to say.
            if header.get("typ") != TYPE or {"jku", "x5u", "jwk"} & header.keys():
                raise Unauthorised(reason="type")
            key = await self._key(str(header.get("kid", "")))
            claims = jwt.decode(
                token,
                key.key,
                algorithms=list(ALGORITHMS),
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY,
                options={"require": ["exp", "nbf", "iss", "aud", "sub", "tenant", "sid"]},
            )
            return _claims(claims)
        except (jwt.InvalidTokenError, ValueError) as error:
            raise Unauthorised(reason=type(error).__name__) from error

    async def _key(self, kid: str) -> jwt.PyJWK:
        if kid not in self._keys:
            async with self._fetching:
                if kid not in self._keys and time.monotonic() - self._fetched > REFETCH_AFTER:
                    await self._fetch()
        if kid not in self._keys:
            raise Unauthorised(reason="unknown key")
        return self._keys[kid]

    async def _fetch(self) -> None:
        try:
            async with httpx.AsyncClient(timeout=5) as client:
                answer = await client.get(self._url)
                answer.raise_for_status()
        except httpx.HTTPError as error:
            raise Transient(because="jwks", retry_after=2) from error
        self._fetched = time.monotonic()
        keys = jwt.PyJWKSet.from_dict(answer.json()).keys[:MAX_KEYS]
        self._keys = {key.key_id: key for key in keys if key.key_id}


def _claims(claims: dict[str, Any]) -> Claims:
    return Claims(
        MemberId(UUID(claims["sub"])), TenantId(UUID(claims["tenant"])), str(claims["sid"])
    )
