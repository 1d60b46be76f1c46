"""What the sessions' handlers need."""

from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from services.identity.sessions.domain import Credential, Device, GuessLimits, Session
from shared.contracts.ids import MemberId, TenantId
from shared.kit.limiting.port import Limiter
from shared.kit.unit import Clock, NewId, Unit, Units


class Directory(Protocol):
    """How a slug becomes a tenant before anybody has signed in."""

    async def tenant_id_of(self, unit: Unit, slug: str) -> TenantId | None:
        """Find the tenant of this slug."""


class Credentials(Protocol):
    """Passwords, as hashes."""

    async def find_by_email(self, unit: Unit, tenant: TenantId, email: str) -> Credential | None:
        """Find the credential of the member with this address, if not suspended."""

    async def set_password(
        self, unit: Unit, tenant: TenantId, member_id: MemberId, password_hash: str
    ) -> bool:
        """Set the first password; False when there is one already."""


class Sessions(Protocol):
    """Sessions with their one refresh token."""

    async def put(self, unit: Unit, session: Session) -> None:
        """Keep a session, new or with its next refresh token."""

    async def find(self, unit: Unit, tenant: TenantId, session_id: UUID) -> Session | None:
        """Find one and lock it, so that a token is used once."""

    async def end(self, unit: Unit, session: Session) -> None:
        """End a session."""


class Hasher(Protocol):
    """Hashes passwords slowly (argon2id); blocks a thread, not the loop."""

    async def hash(self, password: str) -> str:
        """Hash a password with a new salt."""

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Compare; takes as long for None (unknown member) as for a hash."""


class Signer(Protocol):
    """Signs tokens with the tenant-independent key of the platform."""

    def access(self, tenant: TenantId, member_id: MemberId, session: str) -> str:
        """Sign an access token."""

    def invitation(self, tenant: TenantId, member_id: MemberId) -> str:
        """Sign a one-time invitation."""

    def read_invitation(self, token: str) -> tuple[TenantId, MemberId]:
        """Read one. Raises `Unauthorised`."""

    def device(self, device: Device) -> str:
        """Sign the token of a device."""

    def read_device(self, token: str) -> Device | None:
        """Read one; None for what is none, or is too old."""

    def jwks(self) -> dict[str, object]:
        """Give the public keys."""


@dataclass(frozen=True)
class SessionsDeps:
    """Handed to the handlers of this feature."""

    unit: Units
    directory: Directory
    credentials: Credentials
    sessions: Sessions
    hasher: Hasher
    signer: Signer
    clock: Clock
    new_id: NewId
    attempts: Limiter
    guess_limits: GuessLimits = field(default_factory=GuessLimits)
