"""What a session is; the words for what may be wrong with one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from shared.contracts.ids import MemberId, TenantId
from shared.kit.errors import Conflict, TooMany, Unauthorised

REFRESH_LIFETIME = timedelta(days=30)
SHORTEST_PASSWORD = 12
MAX_FAILURES = 10
LOCKED_FOR = timedelta(minutes=15)


class WrongCredentials(Unauthorised):
    """Unknown tenant, unknown address or wrong password: the answer does not say which."""

    key = "wrong_credentials"


class SessionOver(Unauthorised):
    """The refresh token was used before, or its session has ended."""

    key = "session_over"


class TooManyFailures(TooMany):
    """Too many wrong passwords: wait."""

    key = "too_many_failures"


class InvitationUsed(Conflict):
    """The invitation was accepted before."""

    key = "invitation_used"


@dataclass(frozen=True, slots=True)
class Credential:
    """How a member proves who they are; `locked_until` after too many failures."""

    tenant_id: TenantId
    member_id: MemberId
    password_hash: str
    failures: int = 0
    locked_until: datetime | None = None


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
