"""Sessions, refresh tokens and passwords: rules and errors, without I/O."""

import hashlib
import unicodedata
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from uuid import UUID

from shared.contracts.identity import SessionEnd
from shared.contracts.ids import MemberId, SessionId, TenantId
from shared.kit.core.errors import Conflict, Forbidden, Invalid, NotFound, TooMany, Unauthorised
from shared.kit.core.policy import Suspension
from shared.kit.core.rate_limits import Charge
from shared.kit.text.characters import strip_zero_width

REFRESH_LIFETIME = timedelta(days=30)
"""Lifetime of a session since its last refresh."""
SESSION_LIFETIME = timedelta(days=90)
"""Lifetime of a session since its sign-in, however often it is refreshed."""
REFRESH_GRACE = timedelta(seconds=30)
"""How long a rotated refresh token stays valid: for concurrent tabs, and after a lost response."""
MAX_ROTATIONS = 16
"""Rotations within the grace; further requests get the latest token again."""
MIN_PASSWORD_CHARACTERS = 12
MIN_DISTINCT_CHARACTERS = 4
"""Smallest number of different characters in a password."""


class WrongCredentials(Unauthorised):
    """Unknown tenant, unknown address or wrong password: the response does not distinguish them."""

    key = "wrong_credentials"


class SessionOver(Unauthorised):
    """The refresh token was used before, or its session has ended."""

    key = "session_over"


class TooManyAttempts(TooMany):
    """Too many wrong secrets; this one was not checked."""

    key = "too_many_attempts"


class SessionNotFound(NotFound):
    """The member has no such session, or it has ended."""

    key = "session_not_found"


class InvitationUsed(Conflict):
    """The invitation was already accepted."""

    key = "invitation_used"


class InvitationVoid(Conflict):
    """The invitation was withdrawn or replaced by a newer one."""

    key = "invitation_void"


class WrongPassword(Forbidden):
    """The current password, which a change requires, is wrong."""

    key = "wrong_password"


class PasswordTooShort(Invalid):
    """A password has too few visible characters."""

    key = "password_too_short"


class PasswordRepeats(Invalid):
    """A password has too few different characters."""

    key = "password_repeats"


class PasswordGuessable(Invalid):
    """A password is common, or consists of words known about the person."""

    key = "password_guessable"


@dataclass(frozen=True, slots=True)
class Credential:
    """A member's password hash, with the suspension in force."""

    tenant_id: TenantId
    member_id: MemberId
    password_hash: str
    suspension: Suspension | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """A browser or program with which a member has signed in, named by a signed token.

    A new password changes `password_fingerprint`, and so invalidates the token.
    """

    tenant_id: TenantId
    member_id: MemberId
    password_fingerprint: str
    device_id: UUID


def password_fingerprint(password_hash: str) -> str:
    """Return an id of the current password; it changes with each password, as hashes are salted."""
    return hashlib.sha256(password_hash.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class GuessLimits:
    """Wrong secrets allowed: per address, per tenant, on the platform.

    Each within ten minutes, `address_day` within a day.
    """

    address: int = 400
    address_day: int = 2_000
    tenant: int = 3_000
    platform: int = 10_000


@dataclass(frozen=True, slots=True)
class Guess:
    """The rate limits that one attempt at a secret is charged to.

    `own` counts belong to this person from this client address: a right secret resets them. From
    `shared` counts, a right secret takes back only its own charge.
    """

    own: tuple[Charge, ...] = ()
    shared: tuple[Charge, ...] = ()

    @property
    def charges(self) -> tuple[Charge, ...]:
        """All charges of the attempt."""
        return self.own + self.shared


class RefreshTokenState(Enum):
    """How a genuine refresh token relates to its session."""

    CURRENT = "next"
    """The latest token: a refresh rotates it."""
    RECENT = "again"
    """Rotated within the grace: a refresh returns the latest token again."""
    REUSED = "reused"
    """Rotated before the grace: the token was probably stolen."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session; `number` counts its refresh tokens, of which only the latest is valid.

    `refresh_hash` is that token's SHA-256, `rotations` are the times of recent rotations, the
    newest last. `device` is a kind of device, `client` the program and system, in words.
    """

    tenant_id: TenantId
    session_id: SessionId
    member_id: MemberId
    opened_at: datetime
    last_used_at: datetime
    expires_at: datetime
    number: int = 0
    refresh_hash: bytes = b""
    rotations: tuple[datetime, ...] = field(default=())
    device: str = ""
    client: str = ""
    ended_because: SessionEnd | None = None

    def classify_token(self, number: int, now: datetime) -> RefreshTokenState:
        """Return the state of the genuine token with this number."""
        if number == self.number:
            recent = [
                rotated_at for rotated_at in self.rotations if now - rotated_at <= REFRESH_GRACE
            ]
            return (
                RefreshTokenState.RECENT
                if len(recent) >= MAX_ROTATIONS
                else RefreshTokenState.CURRENT
            )
        age = self.number - number
        if 0 < age <= len(self.rotations) and now - self.rotations[-age] <= REFRESH_GRACE:
            return RefreshTokenState.RECENT
        return RefreshTokenState.REUSED

    def with_next_token(self, refresh_hash: bytes, now: datetime) -> "Session":
        """Return the session after a rotation of its refresh token."""
        recent = [rotated_at for rotated_at in self.rotations if now - rotated_at <= REFRESH_GRACE]
        return replace(
            self,
            number=self.number + 1,
            refresh_hash=refresh_hash,
            rotations=(*recent, now),
            last_used_at=now,
            expires_at=session_expiry(self.opened_at, now),
        )


def session_expiry(opened_at: datetime, now: datetime) -> datetime:
    """Return when a session ends that is used now."""
    return min(now + REFRESH_LIFETIME, opened_at + SESSION_LIFETIME)


def normalise_password(password: str) -> str:
    """Normalise a password to NFC: keyboards compose the same letters differently."""
    return unicodedata.normalize("NFC", password)


def check_password(password: str) -> None:
    """Check length and variety of a password. Raises `PasswordTooShort` and `PasswordRepeats`.

    Only visible characters and spaces count; combining marks do not.
    """
    visible = strip_zero_width(password)
    counted = [c for c in visible if unicodedata.category(c) not in {"Mn", "Me"}]
    if len(counted) < MIN_PASSWORD_CHARACTERS:
        raise PasswordTooShort(field="password", shortest=MIN_PASSWORD_CHARACTERS)
    if len({c.casefold() for c in counted}) < MIN_DISTINCT_CHARACTERS:
        raise PasswordRepeats(field="password", fewest=MIN_DISTINCT_CHARACTERS)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a client: a short-lived access token and the next refresh token."""

    access: str
    refresh: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The tokens of a new session, and a device token for the next sign-in."""

    tokens: Tokens
    device_token: str
