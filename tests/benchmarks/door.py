"""A key pair for the benchmark, and access tokens as identity signs them."""

import json
import time
from collections.abc import Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.kit.core.access_tokens import ALGORITHMS, TOKEN_TYPE
from tests.benchmarks.population import Member

ISSUER, AUDIENCE = "https://preau.local", "preau"
KEY = "bench"
HOURS = 6


class Door:
    """Signs, and serves the public key."""

    def __init__(self) -> None:
        self._private = Ed25519PrivateKey.generate()

    def jwks(self) -> bytes:
        """Return the key set, as identity's address answers it."""
        key = jwt.algorithms.OKPAlgorithm.to_jwk(self._private.public_key(), as_dict=True)
        return json.dumps({"keys": [{**key, "kid": KEY, "alg": "EdDSA", "use": "sig"}]}).encode()

    def token(self, member: Member) -> str:
        """Sign a member's access token."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(member.member),
            "tenant": str(member.tenant),
            "sid": "bench",
            "nbf": now,
            "exp": now + HOURS * 3600,
        }
        return jwt.encode(
            claims, self._private, algorithm=ALGORITHMS[0], headers={"typ": TOKEN_TYPE, "kid": KEY}
        )

    def requests(self, people: Sequence[Member]) -> list[dict[str, str]]:
        """Say for each of them what publishing takes: a path and a token."""
        return [
            {"path": f"/community/v1/spaces/{person.space}/posts", "token": self.token(person)}
            for person in people
        ]
