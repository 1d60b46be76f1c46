"""Sign-in with real limits and device tokens, a manual clock, and counted hashing."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from services.identity.sessions.domain import Credential, GuessLimits, SignedIn
from services.identity.sessions.handlers.sign_in import SignIn, sign_in
from services.identity.sessions.ports import (
    AttemptDeps,
    PasswordDeps,
    SessionsDeps,
    TokenDeps,
)
from services.identity.sessions.store.refresh_tokens import HmacRefreshTokens
from services.identity.sessions.store.signer import JwtSigner
from shared.contracts.example_data import HAMID, NOON, TENANT, ZOE
from shared.kit.core.errors import PreauError
from shared.kit.core.rate_limits import RateLimiter
from shared.kit.limiting.memory import MemoryLimiter

SCHOOL, ATTACKER = "203.0.113.7", "198.51.100.66"
ZOE_EMAIL, HAMID_EMAIL, NO_EMAIL = "zoé@demo.example", "hamid@demo.example", "x@demo.example"
PASSWORDS = {ZOE_EMAIL: "Un long mot de passe 🗝", HAMID_EMAIL: "Un autre mot de passe"}
PEM = (
    Ed25519PrivateKey.generate()
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)


@dataclass
class SignInHarness:
    """Zoé and Hamid have passwords; every other port is in memory."""

    limits: GuessLimits = field(default_factory=GuessLimits)
    limiter: RateLimiter | None = None
    seconds: float = 0.0
    hash_count: int = 0
    busy: bool = False
    unit_count: int = 0

    def __post_init__(self) -> None:
        self.credentials = {
            ZOE_EMAIL: Credential(TENANT, ZOE, PASSWORDS[ZOE_EMAIL]),
            HAMID_EMAIL: Credential(TENANT, HAMID, PASSWORDS[HAMID_EMAIL]),
        }
        signer = JwtSigner(PEM, issuer="préau", audience="préau", clock=self.clock)
        limiter = self.limiter or MemoryLimiter(monotonic=lambda: self.seconds)
        ports: Any = self  # Any: one fake for most of them
        self.deps = SessionsDeps(
            unit=ports.unit,
            clock=self.clock,
            new_id=uuid4,
            tenant_directory=ports,
            member_lookup=ports,
            sessions=ports,
            invitations=ports,
            passwords=PasswordDeps(credentials=ports, hasher=ports, strength=ports),
            tokens=TokenDeps(signer, HmacRefreshTokens(PEM), signer, signer),
            attempts=AttemptDeps(limiter, self.limits),
        )

    def clock(self) -> Any:
        return NOON + timedelta(seconds=self.seconds)

    @asynccontextmanager
    async def unit(self, caller: object) -> Any:
        self.unit_count += 1
        yield self

    def record(self, fact: object) -> None: ...

    def audit(self, caller: object, action: str, subject: object) -> None: ...

    async def tenant_id_of(self, unit: object, slug: str) -> object:
        return TENANT if slug == "academie" else None

    async def find_by_email(self, unit: object, tenant: object, email: str) -> Credential | None:
        return self.credentials.get(email) if tenant == TENANT else None

    async def matches(self, password_hash: str | None, password: str) -> bool:
        if self.busy:
            raise PreauError
        self.hash_count += 1
        await asyncio.sleep(0)
        return password_hash == password

    async def save(self, unit: object, session: object) -> None: ...

    async def lock_if_current(self, unit: object, credential: Credential) -> bool:
        return True

    def is_outdated(self, password_hash: str) -> bool:
        return False

    async def try_sign_in(
        self, email: str = ZOE_EMAIL, *, right: bool = False, **overrides: Any
    ) -> SignedIn | PreauError:
        """Sign in; return the tokens or the error."""
        password = PASSWORDS.get(email, PASSWORDS[ZOE_EMAIL]) if right else "raté"
        values = {"tenant": "academie", "address": ATTACKER, **overrides}
        command = SignIn(email=email, password=password, **values)
        try:
            return await sign_in(self.deps, command, "test")
        except PreauError as error:
            return error
