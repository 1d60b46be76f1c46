"""Whether a member or a session is stopped, in the words of every service. Pure."""

from datetime import datetime
from uuid import UUID

from shared.kit.core.errors import Forbidden, PreauError, Unauthorised
from shared.kit.core.policy import Suspension


class MemberSuspended(Forbidden):
    """The member may not act at present; `reason`, and `until` unless it is open-ended."""

    key = "member_suspended"

    @classmethod
    def from_suspension(cls, suspension: Suspension) -> "MemberSuspended":
        """Say of which suspension."""
        facts: dict[str, object] = {"rule": "member.suspended"}
        if suspension.reason:
            facts["reason"] = suspension.reason
        if suspension.until is not None:
            facts["until"] = suspension.until.isoformat()
        return cls(**facts)


class SessionEnded(Unauthorised):
    """The session of this access token was ended before its time."""

    key = "session_ended"


def suspension_at(
    now: datetime, *, suspended: bool, until: datetime | None, reason: str | None
) -> Suspension | None:
    """Return the suspension that holds at this moment; None when there is none, or it is over."""
    if not suspended or (until is not None and until <= now):
        return None
    return Suspension(reason, until)


def session_error(suspension: Suspension | None) -> PreauError:
    """Return the refusal of a token whose session has ended: a suspended member learns why."""
    return SessionEnded() if suspension is None else MemberSuspended.from_suspension(suspension)


def parse_session_id(session: str | None) -> UUID | None:
    """Read a token's session; None for one that was never opened, such as the operator's own."""
    try:
        return UUID(session) if session else None
    except ValueError:
        return None
