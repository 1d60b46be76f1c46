"""Suspend a member, or reinstate one: it takes effect everywhere, by event."""

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
    """Suspend a member.

    Raises `MemberNotFound`, `AlreadyPast`, `LastAdministrator` and `Forbidden`.
    """
    async with deps.unit(caller) as unit:
        member = await lock_managed_member(deps, unit, actor, command.member_id)
        if command.until is not None and command.until <= unit.now:
            raise AlreadyPast(until=command.until.isoformat())
        await _keep_an_administrator(deps, unit, member)
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
        whose = (member.tenant_id, member.member_id)
        await end_sessions(deps.sessions, unit, whose, SessionEnd.SUSPENDED)


async def reinstate_member(
    deps: MembersDeps, caller: Caller, actor: Actor, member_id: MemberId
) -> None:
    """Let a member act again. Raises `MemberNotFound`, `NotSuspended` and `Forbidden`."""
    async with deps.unit(caller) as unit:
        member = await lock_managed_member(deps, unit, actor, member_id)
        if not member.is_suspended_at(unit.now):
            raise NotSuspended(member_id=member_id)
        await deps.members.set_suspension(unit, member, None)
        unit.record(MemberReinstated(member_id=member_id, reinstated_by=actor.member_id))


async def lock_managed_member(
    deps: MembersDeps, unit: Unit, actor: Actor, member_id: MemberId
) -> Member:
    """Lock a member whom the actor administers. Raises `MemberNotFound` and `Forbidden`."""
    member = await deps.members.find(unit, actor.tenant, member_id, lock=True)
    if member is None:
        raise MemberNotFound(member_id=member_id)
    held = await deps.members.roles_of(unit, actor.tenant, member_id)
    require_allowed(may_manage(actor, await _line(deps, unit, member), member_id, held))
    return member


async def _line(deps: MembersDeps, unit: Unit, member: Member) -> tuple[StructureId, ...]:
    """List the structures in which a role counts for a member: without one, the tenant's root."""
    structure = None
    if member.structure_id is not None:
        structure = await deps.structures.find(unit, member.tenant_id, member.structure_id)
    structure = structure or await deps.structures.root(unit, member.tenant_id)
    return structure.ancestry


async def _keep_an_administrator(deps: MembersDeps, unit: Unit, member: Member) -> None:
    """Refuse to stop the only administrator of the whole tenant. Raises `LastAdministrator`."""
    held = await deps.members.roles_of(unit, member.tenant_id, member.member_id)
    administers = any(r.role is Role.ADMINISTRATOR and len(r.ancestry) == 1 for r in held)
    if administers and not await deps.members.has_other_administrator(
        unit, member.tenant_id, member.member_id
    ):
        raise LastAdministrator(member_id=member.member_id)
