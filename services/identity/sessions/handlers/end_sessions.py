"""List and end sessions: refresh tokens end at once, access tokens by the event in each service."""

from collections.abc import Sequence
from uuid import UUID

from services.identity.sessions.domain import Session, SessionNotFound
from services.identity.sessions.ports import Sessions, SessionsDeps
from shared.contracts.identity import SessionEnd, SessionEnded
from shared.contracts.ids import MemberId, TenantId
from shared.kit.core.unit_of_work import Caller, EventCause, Unit


async def list_own_sessions(
    deps: SessionsDeps, caller: Caller, member_id: MemberId
) -> Sequence[Session]:
    """List the member's open sessions, the newest first."""
    async with deps.unit(caller) as unit:
        return await deps.sessions.list_open(unit, caller.tenant, member_id)


async def end_own_session(
    deps: SessionsDeps, caller: Caller, member_id: MemberId, session_id: UUID, reason: SessionEnd
) -> None:
    """End a session of the member. Raises `SessionNotFound`."""
    async with deps.unit(caller) as unit:
        member = (caller.tenant, member_id)
        if not await end_sessions(deps.sessions, unit, member, reason, only=session_id):
            raise SessionNotFound(session_id=session_id)


async def end_own_sessions(
    deps: SessionsDeps, caller: Caller, member_id: MemberId, excluding: UUID | None
) -> int:
    """End the member's open sessions except `excluding`; return their number."""
    async with deps.unit(caller) as unit:
        member = (caller.tenant, member_id)
        reason = SessionEnd.ENDED_BY_MEMBER
        return await end_sessions(deps.sessions, unit, member, reason, excluding=excluding)


async def end_sessions(  # noqa: PLR0913  which sessions, in words
    sessions: Sessions,
    unit: Unit,
    member: tuple[TenantId, MemberId],
    reason: SessionEnd,
    *,
    only: UUID | None = None,
    excluding: UUID | None = None,
    caused_by: EventCause | None = None,
) -> int:
    """End a member's sessions within a unit and record an event for each; return their number.

    `caused_by` defaults to the unit's caller.
    """
    session_ids = await sessions.end(unit, member, reason, only=only, excluding=excluding)
    for session_id in session_ids:
        unit.record(
            SessionEnded(member_id=member[1], session_id=session_id, reason=reason),
            caused_by=caused_by,
        )
    return len(session_ids)
