"""The errors of a suspended member and of an ended session, the same in every service. Pure."""

from datetime import datetime
from uuid import UUID

from shared.kit.core.errors import Forbidden, PreauError, Unauthorised
from shared.kit.core.policy import Suspension


class MemberSuspended(Forbidden):
    """The member may not act at present; `reason`, and `until` unless it is open-ended."""

    key = "member_suspended"

    @classmethod
    def from_suspension(cls, suspension: Suspension) -> "MemberSuspended":
        """Create the error with the reason and the end of this suspension, if it has them."""
        facts: dict[str, str] = {"rule": "member.suspended"}
        if suspension.reason:
            facts["reason"] = suspension.reason
        if suspension.until is not None:
            facts["until"] = suspension.until.isoformat()
        return cls(**facts)


class SessionEnded(Unauthorised):
    """The session of this access token was ended before the token expired."""

    key = "session_ended"


def suspension_at(
    now: datetime, *, suspended: bool, until: datetime | None, reason: str | None
) -> Suspension | None:
    """Return the suspension in force at this moment; None without one, or when it has ended."""
    if not suspended or (until is not None and until <= now):
        return None
    return Suspension(reason, until)


def session_error(suspension: Suspension | None) -> PreauError:
    """Return the error for a token of an ended session: a suspended member gets the reason."""
    return SessionEnded() if suspension is None else MemberSuspended.from_suspension(suspension)


def parse_session_id(session: str | None) -> UUID | None:
    """Parse a token's session id; None for tokens without one, such as an operator's."""
    try:
        return UUID(session) if session else None
    except ValueError:
        return None
