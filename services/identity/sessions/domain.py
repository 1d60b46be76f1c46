"""What a session is; the words for what may be wrong with one."""

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
"""How long a session lasts that nobody goes on with."""
SESSION_LIFETIME = timedelta(days=90)
"""How long a session lasts after its sign-in, however often it is gone on with."""
REFRESH_GRACE = timedelta(seconds=30)
"""How long a refresh token holds after it was changed: two tabs at once, or an answer lost."""
MAX_ROTATIONS = 16
"""Changes of a refresh token within the grace; then the last one is given again."""
MIN_PASSWORD_CHARACTERS = 12
MIN_DISTINCT_CHARACTERS = 4
"""Different characters in a password."""


class WrongCredentials(Unauthorised):
    """Unknown tenant, unknown address or wrong password: the answer does not say which."""

    key = "wrong_credentials"


class SessionOver(Unauthorised):
    """The refresh token was used before, or its session has ended."""

    key = "session_over"


class TooManyAttempts(TooMany):
    """Too many wrong secrets, for whomever they were; nothing was tried."""

    key = "too_many_attempts"


class SessionNotFound(NotFound):
    """The member has no such session, or it has ended."""

    key = "session_not_found"


class InvitationUsed(Conflict):
    """The invitation was accepted before."""

    key = "invitation_used"


class InvitationVoid(Conflict):
    """The invitation was withdrawn, or a newer one was made."""

    key = "invitation_void"


class WrongPassword(Forbidden):
    """The present password, which a change asks for, is another."""

    key = "wrong_password"


class PasswordTooShort(Invalid):
    """A password has too few characters that can be seen."""

    key = "password_too_short"


class PasswordRepeats(Invalid):
    """A password is made of too few different characters."""

    key = "password_repeats"


class PasswordGuessable(Invalid):
    """A password is common, or made of what is known about the person."""

    key = "password_guessable"


@dataclass(frozen=True, slots=True)
class Credential:
    """How a member proves who they are."""

    tenant_id: TenantId
    member_id: MemberId
    password_hash: str
    suspension: Suspension | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """A browser or program with which a member signed in; a signed token names it.

    `mark` is the password's (`password_mark`), so that a new password ends the token.
    """

    tenant_id: TenantId
    member_id: MemberId
    password_fingerprint: str
    device_id: UUID


def password_fingerprint(password_hash: str) -> str:
    """Name a password that is set: another for each one set, as its hash has a salt of its own."""
    return hashlib.sha256(password_hash.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class GuessLimits:
    """Wrong secrets that are let through: of one address, of one tenant, of the platform.

    Each within ten minutes, `address_day` within a day.
    """

    address: int = 400
    address_day: int = 2_000
    tenant: int = 3_000
    platform: int = 10_000


@dataclass(frozen=True, slots=True)
class Guess:
    """What trying a secret is charged with.

    `own` counts are of this person at this place: a right secret sets them to zero. Of `shared`
    counts a right secret gives back only what it was charged itself.
    """

    own: tuple[Charge, ...] = ()
    shared: tuple[Charge, ...] = ()

    @property
    def charges(self) -> tuple[Charge, ...]:
        """All of them."""
        return self.own + self.shared


class RefreshTokenState(Enum):
    """What a refresh token that was really given is good for."""

    CURRENT = "next"
    """It is the last one: it is changed for the next."""
    RECENT = "again"
    """It was changed a moment ago: what was given then is given again."""
    REUSED = "reused"
    """It was changed long ago: one of its two holders is a thief."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session; `number` counts its refresh tokens, of which the last one holds.

    `refresh_hash` is the SHA-256 of that one, `rotations` when its latest ones were changed, the
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
        """Return what the token of this number, which was really given, is good for."""
        if number == self.number:
            recent = [each for each in self.rotations if now - each <= REFRESH_GRACE]
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
        """Return the session with its next refresh token."""
        recent = [each for each in self.rotations if now - each <= REFRESH_GRACE]
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
    """Write a password in one form, however the keyboard composes its letters."""
    return unicodedata.normalize("NFC", password)


def check_password(password: str) -> None:
    """Refuse a password that is too short or too even.

    Counted are characters that can be seen, without marks on others, and spaces.
    Raises `PasswordTooShort` and `PasswordRepeats`.
    """
    visible = strip_zero_width(password)
    counted = [c for c in visible if unicodedata.category(c) not in {"Mn", "Me"}]
    if len(counted) < MIN_PASSWORD_CHARACTERS:
        raise PasswordTooShort(field="password", shortest=MIN_PASSWORD_CHARACTERS)
    if len({c.casefold() for c in counted}) < MIN_DISTINCT_CHARACTERS:
        raise PasswordRepeats(field="password", fewest=MIN_DISTINCT_CHARACTERS)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client keeps: a short access token, and the next refresh token."""

    access: str
    refresh: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The tokens of a new session, and the token of the device for the next sign-in."""

    tokens: Tokens
    device_token: str
