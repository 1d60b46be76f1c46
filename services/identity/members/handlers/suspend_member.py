"""Suspend and reinstate members; other services learn it from the events."""

from dataclasses import dataclass
from datetime import datetime

from services.identity.members.domain import (
    AlreadyPast,
    LastAdministrator,
    Member,
    MemberNotFound,
    NotSuspended,
)
from services.identity.members.policy import may_manage
from services.identity.members.ports import MembersDeps
from services.identity.sessions.handlers.end_sessions import end_sessions
from shared.contracts.identity import MemberReinstated, MemberSuspended, Role, SessionEnd
from shared.contracts.ids import MemberId, StructureId
from shared.kit.core.policy import Actor, Suspension, require_allowed
from shared.kit.core.unit_of_work import Caller, Unit


@dataclass(frozen=True)
class SuspendMember:
    """Suspend a member, for a reason, until a moment (None: until reinstated)."""

    member_id: MemberId
    reason: str
    until: datetime | None = None


async def suspend_member(
    deps: MembersDeps, caller: Caller, actor: Actor, command: SuspendMember
) -> None:
    """Suspend a member and end the member's sessions.

    Raises `MemberNotFound`, `AlreadyPast`, `LastAdministrator` and `Forbidden`.
    """
    async with deps.unit(caller) as unit:
        member = await lock_managed_member(deps, unit, actor, command.member_id)
        if command.until is not None and command.until <= unit.now:
            raise AlreadyPast(until=command.until.isoformat())
        await _check_not_last_administrator(deps, unit, member)
        suspension = Suspension(command.reason, command.until)
        await deps.members.set_suspension(unit, member, suspension)
        unit.record(
            MemberSuspended(
                member_id=member.member_id,
                reason=command.reason,
                suspended_by=actor.member_id,
                until=command.until,
            )
        )
        member_key = (member.tenant_id, member.member_id)
        await end_sessions(deps.sessions, unit, member_key, SessionEnd.SUSPENDED)


async def reinstate_member(
    deps: MembersDeps, caller: Caller, actor: Actor, member_id: MemberId
) -> None:
    """End a member's suspension. Raises `MemberNotFound`, `NotSuspended` and `Forbidden`."""
    async with deps.unit(caller) as unit:
        member = await lock_managed_member(deps, unit, actor, member_id)
        if not member.is_suspended_at(unit.now):
            raise NotSuspended(member_id=member_id)
        await deps.members.set_suspension(unit, member, None)
        unit.record(MemberReinstated(member_id=member_id, reinstated_by=actor.member_id))


async def lock_managed_member(
    deps: MembersDeps, unit: Unit, actor: Actor, member_id: MemberId
) -> Member:
    """Lock the row of a member that the actor may manage; return the member.

    Raises `MemberNotFound` and `Forbidden`.
    """
    member = await deps.members.find(unit, actor.tenant, member_id, lock=True)
    if member is None:
        raise MemberNotFound(member_id=member_id)
    held_roles = await deps.members.roles_of(unit, actor.tenant, member_id)
    require_allowed(
        may_manage(actor, await _ancestry_of_member(deps, unit, member), member_id, held_roles)
    )
    return member


async def _ancestry_of_member(
    deps: MembersDeps, unit: Unit, member: Member
) -> tuple[StructureId, ...]:
    """Return the structures whose roles apply to a member; the tenant's root for no structure."""
    structure = None
    if member.structure_id is not None:
        structure = await deps.structures.find(unit, member.tenant_id, member.structure_id)
    structure = structure or await deps.structures.root(unit, member.tenant_id)
    return structure.ancestry


async def _check_not_last_administrator(deps: MembersDeps, unit: Unit, member: Member) -> None:
    """Refuse to suspend the only administrator of the whole tenant. Raises `LastAdministrator`."""
    held_roles = await deps.members.roles_of(unit, member.tenant_id, member.member_id)
    administers = any(
        held_role.role is Role.ADMINISTRATOR and len(held_role.ancestry) == 1
        for held_role in held_roles
    )
    if administers and not await deps.members.has_other_administrator(
        unit, member.tenant_id, member.member_id
    ):
        raise LastAdministrator(member_id=member.member_id)
