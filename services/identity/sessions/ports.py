"""What the sessions' handlers need."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from services.identity.sessions.domain import Credential, Device, GuessLimits, Session
from shared.contracts.identity import SessionEnd
from shared.contracts.ids import MemberId, SessionId, TenantId
from shared.kit.core.policy import Suspension
from shared.kit.core.rate_limits import RateLimiter
from shared.kit.core.unit_of_work import Clock, NewId, Unit, Units


class TenantDirectory(Protocol):
    """How a slug becomes a tenant before anybody has signed in."""

    async def tenant_id_of(self, unit: Unit, slug: str) -> TenantId | None:
        """Find the tenant of this slug."""


class Credentials(Protocol):
    """Passwords, as hashes."""

    async def find_by_email(self, unit: Unit, tenant: TenantId, email: str) -> Credential | None:
        """Find the credential of the member with this address, suspended or not."""

    async def find_by_member(
        self, unit: Unit, tenant: TenantId, member_id: MemberId
    ) -> Credential | None:
        """Find a member's credential."""

    async def lock_if_current(self, unit: Unit, credential: Credential) -> bool:
        """Return whether it still holds, and keep it and the standing so until the unit ends."""

    async def set_password(
        self, unit: Unit, tenant: TenantId, member_id: MemberId, password_hash: str
    ) -> None:
        """Set a password, whatever it was."""

    async def replace_hash(self, unit: Unit, credential: Credential, password_hash: str) -> bool:
        """Set a password in place of this one; False when it is another by now."""


class Invitations(Protocol):
    """How often each member was invited: only the last invitation may hold."""

    async def issue(self, unit: Unit, tenant: TenantId, member_id: MemberId) -> int:
        """Count one more, which holds from now on, and give its number."""

    async def check(self, unit: Unit, tenant: TenantId, member_id: MemberId, number: int) -> None:
        """Raise `InvitationUsed` or `InvitationVoid` unless it holds; lock it until the end."""

    async def accept(self, unit: Unit, tenant: TenantId, member_id: MemberId) -> None:
        """Note that the last one was accepted."""

    async def withdraw(self, unit: Unit, tenant: TenantId, member_id: MemberId) -> bool:
        """Let the last one hold no longer; False when none held."""


class Sessions(Protocol):
    """Sessions, each with its last refresh token."""

    async def save(self, unit: Unit, session: Session) -> None:
        """Keep a session, new or with its next refresh token."""

    async def find(self, unit: Unit, tenant: TenantId, session_id: UUID) -> Session | None:
        """Find one, ended or not, and lock it, so that a token is changed once."""

    async def list_open(
        self, unit: Unit, tenant: TenantId, member_id: MemberId
    ) -> Sequence[Session]:
        """List those of a member that have not ended, the newest first."""

    async def end(
        self,
        unit: Unit,
        member: tuple[TenantId, MemberId],
        reason: SessionEnd,
        *,
        only: UUID | None = None,
        excluding: UUID | None = None,
    ) -> Sequence[SessionId]:
        """End a member's sessions, or `only` one, or all but one; give those that were open."""


class MemberLookup(Protocol):
    """What identity knows of a member, as signing in needs it."""

    async def suspension_of(
        self, unit: Unit, tenant: TenantId, member_id: MemberId
    ) -> Suspension | None:
        """Return the suspension that holds now."""

    async def personal_words(
        self, unit: Unit, tenant: TenantId, member_id: MemberId
    ) -> Sequence[str]:
        """List what others may know: names, mail address, tenant."""


class Hasher(Protocol):
    """Hashes passwords slowly (argon2id); blocks a thread, not the loop."""

    async def hash(self, password: str) -> str:
        """Hash a password with a new salt."""

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Compare; takes as long for None (unknown member) as for a hash."""

    def is_outdated(self, password_hash: str) -> bool:
        """Return whether it was made with other parameters than those of today."""


class PasswordStrengthEstimator(Protocol):
    """Estimates how soon a password is guessed; works in a thread, not in the loop."""

    async def is_guessable(self, password: str, words: Sequence[str]) -> bool:
        """Return whether it is soon guessed, `words` being what is known of the person."""


class RefreshTokens(Protocol):
    """Derives refresh tokens: each is the same whenever it is asked for, and none is stored."""

    def derive(self, tenant: TenantId, session_id: UUID, number: int) -> str:
        """Return the token of a session with this number."""


class Signer(Protocol):
    """Signs tokens with the tenant-independent key of the platform."""

    def sign_access(self, tenant: TenantId, member_id: MemberId, session: str) -> str:
        """Sign an access token."""

    def sign_invitation(self, tenant: TenantId, member_id: MemberId, number: int) -> str:
        """Sign the invitation of this number."""

    def read_invitation(self, token: str) -> tuple[TenantId, MemberId, int]:
        """Read one. Raises `Unauthorised`."""

    def sign_device(self, device: Device) -> str:
        """Sign the token of a device."""

    def read_device(self, token: str) -> Device | None:
        """Read one; None for what is none, or is too old."""

    def jwks(self) -> dict[str, object]:
        """Return the public keys."""


@dataclass(frozen=True)
class SessionsDeps:
    """Handed to the handlers of this feature."""

    unit: Units
    tenant_directory: TenantDirectory
    credentials: Credentials
    sessions: Sessions
    hasher: Hasher
    signer: Signer
    clock: Clock
    new_id: NewId
    attempt_limiter: RateLimiter
    guess_limits: GuessLimits = field(default_factory=GuessLimits)
    invitations: Invitations = field(kw_only=True)
    member_lookup: MemberLookup = field(kw_only=True)
    strength_estimator: PasswordStrengthEstimator = field(kw_only=True)
    refresh_tokens: RefreshTokens = field(kw_only=True)
