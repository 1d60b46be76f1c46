"""Signs access tokens like identity, and forges some."""

import asyncio
import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.contracts import example_data
from shared.kit.core.access_tokens import ALGORITHMS, LIFETIME_SECONDS, TOKEN_TYPE

ISSUER, AUDIENCE = "https://identité.test", "préau"
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@dataclass
class Signer:
    """An Ed25519 key with its key id."""

    kid: str = "2026-11"
    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def public(self) -> dict[str, Any]:
        """Return the public key as a JWK."""
        key = jwt.algorithms.OKPAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**key, "kid": self.kid, "alg": "EdDSA", "use": "sig"}

    def token(self, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Sign Zoé's token; a claim that is None is left out."""
        now = int(NOON.timestamp())
        all_claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(example_data.ZOE),
            "tenant": str(example_data.TENANT),
            "sid": "s-1",
            "nbf": now,
            "exp": now + LIFETIME_SECONDS,
            **claims,
        }
        present_claims = {name: value for name, value in all_claims.items() if value is not None}
        all_headers = {"typ": TOKEN_TYPE, "kid": self.kid, **(header or {})}
        return jwt.encode(
            present_claims, self.private, algorithm=ALGORITHMS[0], headers=all_headers
        )


@dataclass
class FakeJwksEndpoint(httpx.AsyncBaseTransport):
    """Identity's key endpoint; counts the requests."""

    keys: list[dict[str, Any]]
    requests: int = 0
    down: bool = False
    body: bytes | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        await asyncio.sleep(0)
        if self.down:
            raise httpx.ConnectError("refused")
        body = self.body if self.body is not None else json.dumps({"keys": self.keys}).encode()
        return httpx.Response(200, content=body)


def replace_header(token: str, **header: Any) -> str:
    """Return the token with another header and the old signature."""
    _, payload, signature = token.split(".")
    encoded = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    return f"{encoded}.{payload}.{signature}"
