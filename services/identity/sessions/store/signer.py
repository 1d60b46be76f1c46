"""Access tokens, invitations and device tokens, signed with Ed25519."""

import hashlib
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import OKPAlgorithm

from services.identity.sessions.domain import Device
from shared.contracts.ids import MemberId, TenantId
from shared.kit.core.access_tokens import ALGORITHMS, LIFETIME_SECONDS, TOKEN_TYPE
from shared.kit.core.errors import Unauthorised
from shared.kit.core.unit_of_work import Clock

INVITATION_TYPE = "invitation+jwt"
INVITATION_LIFETIME = timedelta(days=7)
DEVICE_TYPE = "device+jwt"
DEVICE_LIFETIME = timedelta(days=365)


class JwtSigner:
    """See `ports.AccessTokens`, `ports.InvitationTokens` and `ports.DeviceTokens`.

    Signs JWTs with one Ed25519 key, whose id is the hash of its public part.
    """

    def __init__(self, pem: str, *, issuer: str, audience: str, clock: Clock) -> None:
        """Load the key. Raises ValueError for anything but an Ed25519 private key."""
        key = load_pem_private_key(pem.encode(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("not an Ed25519 private key")  # noqa: TRY004  the value is what is wrong
        self._key, self._issuer, self._audience, self._clock = key, issuer, audience, clock
        self._public: dict[str, Any] = json.loads(OKPAlgorithm.to_jwk(key.public_key()))
        self.kid = hashlib.sha256(self._public["x"].encode()).hexdigest()[:16]

    def sign_access(self, tenant: TenantId, member_id: MemberId, session: str) -> str:
        claims = {"sub": str(member_id), "tenant": str(tenant), "sid": session}
        return self._sign(claims, timedelta(seconds=LIFETIME_SECONDS), TOKEN_TYPE, self._audience)

    def sign_invitation(self, tenant: TenantId, member_id: MemberId, number: int) -> str:
        claims = {"sub": str(member_id), "tenant": str(tenant), "n": str(number)}
        return self._sign(claims, INVITATION_LIFETIME, INVITATION_TYPE, self._issuer)

    def read_invitation(self, token: str) -> tuple[TenantId, MemberId, int]:
        try:
            claims = self._read(token, INVITATION_TYPE)
            tenant, member_id = TenantId(UUID(claims["tenant"])), MemberId(UUID(claims["sub"]))
            return tenant, member_id, int(claims.get("n", 0))
        except (jwt.InvalidTokenError, ValueError, KeyError) as error:
            raise Unauthorised(reason=type(error).__name__) from error

    def sign_device(self, device: Device) -> str:
        claims = {
            "sub": str(device.member_id),
            "tenant": str(device.tenant_id),
            "pwd": device.password_fingerprint,
            "jti": str(device.device_id),
        }
        return self._sign(claims, DEVICE_LIFETIME, DEVICE_TYPE, self._issuer)

    def read_device(self, token: str) -> Device | None:
        try:
            claims = self._read(token, DEVICE_TYPE)
            member, tenant = MemberId(UUID(claims["sub"])), TenantId(UUID(claims["tenant"]))
            return Device(tenant, member, str(claims["pwd"]), UUID(claims["jti"]))
        except (jwt.InvalidTokenError, ValueError, KeyError):
            return None

    def jwks(self) -> dict[str, object]:
        return {"keys": [self._public | {"kid": self.kid, "use": "sig", "alg": ALGORITHMS[0]}]}

    def _read(self, token: str, kind: str) -> dict[str, Any]:
        """Verify and read a token of this issuer. Raises `jwt.InvalidTokenError`."""
        if jwt.get_unverified_header(token).get("typ") != kind:
            raise jwt.InvalidTokenError("type")
        claims: dict[str, Any] = jwt.decode(
            token,
            self._key.public_key(),
            list(ALGORITHMS),
            audience=self._issuer,
            # PyJWT reads the system clock; times are checked below with the injected clock.
            options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
        if float(claims.get("exp", 0)) <= self._clock().timestamp():
            raise jwt.ExpiredSignatureError
        return claims

    def _sign(self, claims: dict[str, str], lifetime: timedelta, kind: str, audience: str) -> str:
        now = self._clock()
        times = {"iat": now, "nbf": now, "exp": now + lifetime}
        payload = {**claims, **times, "iss": self._issuer, "aud": audience}
        headers = {"typ": kind, "kid": self.kid}
        return jwt.encode(payload, self._key, algorithm=ALGORITHMS[0], headers=headers)
