"""Sessions in PostgreSQL; argon2id and Ed25519 as bodies of their ports."""

import asyncio
import hashlib
import json
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import OKPAlgorithm
from sqlalchemy.dialects.postgresql import insert

from services.identity.sessions.domain import Credential, Session
from services.identity.sessions.tables import CREDENTIALS, SESSIONS
from shared.contracts.ids import MemberId, TenantId
from shared.kit.auth import ALGORITHMS, LIFETIME, TYPE
from shared.kit.database import connection
from shared.kit.errors import Unauthorised
from shared.kit.text import address_key
from shared.kit.unit import Clock, Unit

INVITATION = "invitation+jwt"
INVITATION_LIFETIME = timedelta(days=7)
_BY_EMAIL = sa.text("""
    SELECT c.* FROM credentials c
    JOIN members m ON m.tenant_id = c.tenant_id AND m.member_id = c.member_id
    WHERE c.tenant_id = :tenant AND m.email_key = :email
      AND NOT (m.suspended AND (m.suspended_until IS NULL OR m.suspended_until > :now))
""")


class SqlCredentials:
    """See `ports.Credentials`."""

    async def find_by_email(self, unit: Unit, tenant: TenantId, email: str) -> Credential | None:
        """Find a credential by the member's address."""
        values = {"tenant": tenant, "email": address_key(email), "now": unit.now}
        found = await connection(unit).execute(_BY_EMAIL, values)
        row = found.mappings().first()
        return Credential(**row) if row else None

    async def set_password(
        self, unit: Unit, tenant: TenantId, member_id: MemberId, password_hash: str
    ) -> bool:
        """Set the first password."""
        row = insert(CREDENTIALS).values(
            tenant_id=tenant, member_id=member_id, password_hash=password_hash
        )
        done = await connection(unit).execute(row.on_conflict_do_nothing())
        return bool(done.rowcount)

    async def count_failure(
        self, unit: Unit, credential: Credential, failures: int, locked_until: datetime | None
    ) -> None:
        """Note how many wrong passwords were given in a row."""
        chosen = (CREDENTIALS.c.tenant_id == credential.tenant_id) & (
            CREDENTIALS.c.member_id == credential.member_id
        )
        change = sa.update(CREDENTIALS).where(chosen)
        await connection(unit).execute(change.values(failures=failures, locked_until=locked_until))


class SqlSessions:
    """See `ports.Sessions`."""

    async def put(self, unit: Unit, session: Session) -> None:
        """Keep a session."""
        row = insert(SESSIONS).values(**asdict(session))
        change = {"refresh_hash": session.refresh_hash, "expires_at": session.expires_at}
        keys = ["tenant_id", "session_id"]
        await connection(unit).execute(row.on_conflict_do_update(index_elements=keys, set_=change))

    async def find(self, unit: Unit, tenant: TenantId, session_id: UUID) -> Session | None:
        """Find one and lock it."""
        chosen = (SESSIONS.c.tenant_id == tenant) & (SESSIONS.c.session_id == session_id)
        query = sa.select(SESSIONS).where(chosen).with_for_update()
        row = (await connection(unit).execute(query)).mappings().first()
        return Session(**row) if row else None

    async def end(self, unit: Unit, session: Session) -> None:
        """End a session."""
        chosen = (SESSIONS.c.tenant_id == session.tenant_id) & (
            SESSIONS.c.session_id == session.session_id
        )
        await connection(unit).execute(sa.delete(SESSIONS).where(chosen))


class Argon2Hasher:
    """argon2id with the library's own parameters; about 30 ms of a thread each."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        # Compared with when the member is unknown, so that the answer takes as long.
        self._nobody = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """Hash a password."""
        return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Compare."""
        return await asyncio.to_thread(self._matches, password_hash, password)

    def _matches(self, password_hash: str | None, password: str) -> bool:
        try:
            self._hasher.verify(password_hash or self._nobody, password)
        except (VerifyMismatchError, InvalidHashError):
            return False
        return password_hash is not None


class JwtSigner:
    """Signs with one Ed25519 key, named by the hash of its public half."""

    def __init__(self, pem: str, *, issuer: str, audience: str, clock: Clock) -> None:
        """Load the key. Raises ValueError for anything but an Ed25519 private key."""
        key = load_pem_private_key(pem.encode(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("not an Ed25519 private key")  # noqa: TRY004  the value is what is wrong
        self._key, self._issuer, self._audience, self._clock = key, issuer, audience, clock
        self._public: dict[str, Any] = json.loads(OKPAlgorithm.to_jwk(key.public_key()))
        self.kid = hashlib.sha256(self._public["x"].encode()).hexdigest()[:16]

    def access(self, tenant: TenantId, member_id: MemberId, session: str) -> str:
        """Sign an access token."""
        claims = {"sub": str(member_id), "tenant": str(tenant), "sid": session}
        return self._sign(claims, timedelta(seconds=LIFETIME), TYPE, self._audience)

    def invitation(self, tenant: TenantId, member_id: MemberId) -> str:
        """Sign an invitation."""
        claims = {"sub": str(member_id), "tenant": str(tenant)}
        return self._sign(claims, INVITATION_LIFETIME, INVITATION, self._issuer)

    def read_invitation(self, token: str) -> tuple[TenantId, MemberId]:
        """Read an invitation."""
        try:
            if jwt.get_unverified_header(token).get("typ") != INVITATION:
                raise Unauthorised(reason="type")
            claims = jwt.decode(
                token, self._key.public_key(), list(ALGORITHMS), audience=self._issuer
            )
            return TenantId(UUID(claims["tenant"])), MemberId(UUID(claims["sub"]))
        except (jwt.InvalidTokenError, ValueError) as error:
            raise Unauthorised(reason=type(error).__name__) from error

    def jwks(self) -> dict[str, object]:
        """Give the public key as a JWK set."""
        return {"keys": [self._public | {"kid": self.kid, "use": "sig", "alg": ALGORITHMS[0]}]}

    def _sign(self, claims: dict[str, str], lifetime: timedelta, kind: str, audience: str) -> str:
        now = self._clock()
        times = {"iat": now, "nbf": now, "exp": now + lifetime}
        whole = {**claims, **times, "iss": self._issuer, "aud": audience}
        headers = {"typ": kind, "kid": self.kid}
        return jwt.encode(whole, self._key, algorithm=ALGORITHMS[0], headers=headers)
