"""Ports of sessions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from services.identity.sessions.domain import Credential, Device, GuessLimits, Session
from shared.contracts.identity import SessionEnd
from shared.contracts.ids import MemberId, SessionId, TenantId
from shared.kit.core.policy import Suspension
from shared.kit.core.rate_limits import RateLimiter
from shared.kit.core.unit_of_work import Clock, NewId, Unit, Units


class TenantDirectory(Protocol):
    """Resolves a slug to a tenant before sign-in."""

    async def tenant_id_of(self, unit: Unit, slug: str) -> TenantId | None:
        """Find the tenant of this slug."""


class Credentials(Protocol):
    """Password hashes of members."""

    async def find_by_email(self, unit: Unit, tenant: TenantId, email: str) -> Credential | None:
        """Find the credential of the member with this address, suspended or not."""

    async def find_by_member(
        self, unit: Unit, tenant: TenantId, member_id: MemberId
    ) -> Credential | None:
        """Find a member's credential."""

    async def lock_if_current(self, unit: Unit, credential: Credential) -> bool:
        """Lock password and suspension until the unit ends; False when either has changed."""

    async def set_password(
        self, unit: Unit, tenant: TenantId, member_id: MemberId, password_hash: str
    ) -> None:
        """Set a password, whether or not the member had one."""

    async def replace_hash(self, unit: Unit, credential: Credential, password_hash: str) -> bool:
        """Replace this credential's hash; False when the stored hash has changed since."""


class Invitations(Protocol):
    """Numbered invitations per member; only the latest can be valid."""

    async def issue(self, unit: Unit, tenant: TenantId, member_id: MemberId) -> int:
        """Issue the next invitation and return its number; it replaces earlier ones."""

    async def check(self, unit: Unit, tenant: TenantId, member_id: MemberId, number: int) -> None:
        """Check and lock an invitation. Raises `InvitationUsed` or `InvitationVoid`."""

    async def accept(self, unit: Unit, tenant: TenantId, member_id: MemberId) -> None:
        """Mark the latest invitation as accepted."""

    async def withdraw(self, unit: Unit, tenant: TenantId, member_id: MemberId) -> bool:
        """Withdraw the latest invitation; False when none was valid."""


class Sessions(Protocol):
    """Sessions, each with the hash of its latest refresh token."""

    async def save(self, unit: Unit, session: Session) -> None:
        """Insert a session, or update it after a rotation."""

    async def find(self, unit: Unit, tenant: TenantId, session_id: UUID) -> Session | None:
        """Find a session, ended or not, and lock its row, which serialises rotations."""

    async def list_open(
        self, unit: Unit, tenant: TenantId, member_id: MemberId
    ) -> Sequence[Session]:
        """List a member's open sessions, the newest first."""

    async def end(
        self,
        unit: Unit,
        member: tuple[TenantId, MemberId],
        reason: SessionEnd,
        *,
        only: UUID | None = None,
        excluding: UUID | None = None,
    ) -> Sequence[SessionId]:
        """End open sessions: all, `only` one, or all but `excluding`; return their ids."""


class MemberLookup(Protocol):
    """Data about a member that sign-in needs."""

    async def suspension_of(
        self, unit: Unit, tenant: TenantId, member_id: MemberId
    ) -> Suspension | None:
        """Return the suspension that is in force; its row is locked until the unit ends."""

    async def personal_words(
        self, unit: Unit, tenant: TenantId, member_id: MemberId
    ) -> Sequence[str]:
        """List words that other people may know: names, mail address, tenant."""


class Hasher(Protocol):
    """Slow password hashing (argon2id); blocks a thread, not the event loop."""

    async def hash(self, password: str) -> str:
        """Hash a password with a new salt."""

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Compare a password with a hash; takes the same time for None (unknown member)."""

    def is_outdated(self, password_hash: str) -> bool:
        """Return whether a hash was made with other parameters than the current ones."""


class PasswordStrengthEstimator(Protocol):
    """Estimates the number of guesses for a password; works in a thread, not in the event loop."""

    async def is_guessable(self, password: str, words: Sequence[str]) -> bool:
        """Return whether few guesses suffice, given `words` that are known about the person."""


class RefreshTokens(Protocol):
    """Derives refresh tokens deterministically, so that none is stored."""

    def derive(self, tenant: TenantId, session_id: UUID, number: int) -> str:
        """Return the token of a session with this number: always the same one."""


class AccessTokens(Protocol):
    """Signs access tokens with the platform's key, which is independent of tenants."""

    def sign_access(self, tenant: TenantId, member_id: MemberId, session: str) -> str:
        """Sign an access token."""

    def jwks(self) -> dict[str, object]:
        """Return the public keys as a JWK set."""


class InvitationTokens(Protocol):
    """Signs and verifies invitations."""

    def sign_invitation(self, tenant: TenantId, member_id: MemberId, number: int) -> str:
        """Sign the invitation with this number."""

    def read_invitation(self, token: str) -> tuple[TenantId, MemberId, int]:
        """Verify and read an invitation. Raises `Unauthorised`."""


class DeviceTokens(Protocol):
    """Signs and verifies device tokens."""

    def sign_device(self, device: Device) -> str:
        """Sign a device token."""

    def read_device(self, token: str) -> Device | None:
        """Verify and read a device token; None when it is invalid or expired."""


@dataclass(frozen=True)
class PasswordDeps:
    """Dependencies for checking and setting passwords."""

    credentials: Credentials
    hasher: Hasher
    strength: PasswordStrengthEstimator


@dataclass(frozen=True)
class TokenDeps:
    """Dependencies for issuing and reading tokens."""

    access: AccessTokens
    refresh: RefreshTokens
    invitation: InvitationTokens
    device: DeviceTokens


@dataclass(frozen=True)
class AttemptDeps:
    """Dependencies for limiting attempts at secrets."""

    limiter: RateLimiter
    limits: GuessLimits


@dataclass(frozen=True)
class SessionsDeps:
    """Dependencies of the handlers of sessions."""

    unit: Units
    clock: Clock
    new_id: NewId
    tenant_directory: TenantDirectory
    member_lookup: MemberLookup
    sessions: Sessions
    invitations: Invitations
    passwords: PasswordDeps
    tokens: TokenDeps
    attempts: AttemptDeps
