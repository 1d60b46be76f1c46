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
from services.identity.sessions.handlers.ending import end_sessions
from shared.contracts.identity import MemberReinstated, MemberSuspended, Role, SessionEnd
from shared.contracts.ids import MemberId, StructureId
from shared.kit.core.policy import Actor, Suspension, demand
from shared.kit.core.unit_of_work import Caller, Unit


@dataclass(frozen=True)
class Suspend:
    """Suspend a member, for a reason, until a moment (None: until reinstated)."""

    member_id: MemberId
    reason: str
    until: datetime | None = None


async def suspend(deps: MembersDeps, caller: Caller, actor: Actor, command: Suspend) -> None:
    """Suspend a member.

    Raises `MemberNotFound`, `AlreadyPast`, `LastAdministrator` and `Forbidden`.
    """
    async with deps.unit(caller) as unit:
        member = await managed(deps, unit, actor, command.member_id)
        if command.until is not None and command.until <= unit.now:
            raise AlreadyPast(until=command.until.isoformat())
        await _keep_an_administrator(deps, unit, member)
        suspension = Suspension(command.reason, command.until)
        await deps.memberships.set_standing(unit, member, suspension)
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


async def reinstate(deps: MembersDeps, caller: Caller, actor: Actor, member_id: MemberId) -> None:
    """Let a member act again. Raises `MemberNotFound`, `NotSuspended` and `Forbidden`."""
    async with deps.unit(caller) as unit:
        member = await managed(deps, unit, actor, member_id)
        if not member.is_stopped(unit.now):
            raise NotSuspended(member_id=member_id)
        await deps.memberships.set_standing(unit, member, None)
        unit.record(MemberReinstated(member_id=member_id, reinstated_by=actor.member_id))


async def managed(deps: MembersDeps, unit: Unit, actor: Actor, member_id: MemberId) -> Member:
    """Lock a member whom the actor administers. Raises `MemberNotFound` and `Forbidden`."""
    member = await deps.memberships.find(unit, actor.tenant, member_id, lock=True)
    if member is None:
        raise MemberNotFound(member_id=member_id)
    held = await deps.memberships.roles_of(unit, actor.tenant, member_id)
    demand(may_manage(actor, await _line(deps, unit, member), member_id, held))
    return member


async def _line(deps: MembersDeps, unit: Unit, member: Member) -> tuple[StructureId, ...]:
    """List the structures in which a role counts for a member: without one, the tenant's root."""
    structure = None
    if member.structure_id is not None:
        structure = await deps.structures.find(unit, member.tenant_id, member.structure_id)
    structure = structure or await deps.structures.root(unit, member.tenant_id)
    return structure.line


async def _keep_an_administrator(deps: MembersDeps, unit: Unit, member: Member) -> None:
    """Refuse to stop the only administrator of the whole tenant. Raises `LastAdministrator`."""
    held = await deps.memberships.roles_of(unit, member.tenant_id, member.member_id)
    administers = any(r.role is Role.ADMINISTRATOR and len(r.line) == 1 for r in held)
    if administers and not await deps.memberships.has_other_administrator(
        unit, member.tenant_id, member.member_id
    ):
        raise LastAdministrator(member_id=member.member_id)
