"""What a session is; the words for what may be wrong with one."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from shared.contracts.ids import MemberId, TenantId
from shared.kit.errors import Conflict, TooMany, Unauthorised
from shared.kit.limiting.port import Charge

REFRESH_LIFETIME = timedelta(days=30)
SHORTEST_PASSWORD = 12


class WrongCredentials(Unauthorised):
    """Unknown tenant, unknown address or wrong password: the answer does not say which."""

    key = "wrong_credentials"


class SessionOver(Unauthorised):
    """The refresh token was used before, or its session has ended."""

    key = "session_over"


class TooManyAttempts(TooMany):
    """Too many wrong secrets, for whomever they were; nothing was tried."""

    key = "too_many_attempts"


class InvitationUsed(Conflict):
    """The invitation was accepted before."""

    key = "invitation_used"


@dataclass(frozen=True, slots=True)
class Credential:
    """How a member proves who they are."""

    tenant_id: TenantId
    member_id: MemberId
    password_hash: str


@dataclass(frozen=True, slots=True)
class Device:
    """A browser or program with which a member signed in; a signed token names it.

    `mark` is the password's (`password_mark`), so that a new password ends the token.
    """

    tenant_id: TenantId
    member_id: MemberId
    mark: str
    device_id: UUID


def password_mark(password_hash: str) -> str:
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


@dataclass(frozen=True, slots=True)
class Session:
    """A session; `refresh_hash` is the SHA-256 of the only refresh token that still holds."""

    tenant_id: TenantId
    session_id: UUID
    member_id: MemberId
    refresh_hash: bytes
    expires_at: datetime


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
