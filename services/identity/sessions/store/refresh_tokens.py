"""Refresh tokens derived from the signing key; the database stores only a hash of the latest."""

import base64
import hmac
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from shared.contracts.ids import TenantId

_PURPOSE = b"preau refresh tokens 1"


class HmacRefreshTokens:
    """See `ports.RefreshTokens`; format `<tenant>.<session>.<number>.<HMAC-SHA256 of these>`."""

    def __init__(self, pem: str) -> None:
        """Derive the key. Raises ValueError for anything but an Ed25519 private key."""
        key = load_pem_private_key(pem.encode(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("not an Ed25519 private key")  # noqa: TRY004  the value is what is wrong
        self._key = HKDF(SHA256(), 32, None, _PURPOSE).derive(key.private_bytes_raw())

    def derive(self, tenant: TenantId, session_id: UUID, number: int) -> str:
        name = f"{tenant}.{session_id}.{number}"
        digest = hmac.digest(self._key, name.encode(), "sha256")
        return f"{name}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"
