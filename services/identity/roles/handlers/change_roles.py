"""Grant a role in a structure, or revoke it."""

from dataclasses import dataclass
from datetime import datetime

from services.identity.members.domain import AlreadyPast, LastAdministrator, MemberNotFound
from services.identity.roles.policy import may_grant, may_revoke
from services.identity.roles.ports import RolesDeps
from services.identity.structures.domain import Structure, StructureNotFound
from shared.contracts.identity import Role, RoleGranted, RoleRevoked
from shared.contracts.ids import MemberId, StructureId
from shared.kit.core.policy import Actor, Grant, require_allowed
from shared.kit.core.unit_of_work import Caller, Unit


@dataclass(frozen=True)
class GrantRole:
    """Grant (or revoke) a role in a structure, until a moment."""

    member_id: MemberId
    role: Role
    structure_id: StructureId
    until: datetime | None = None


async def grant_role(deps: RolesDeps, caller: Caller, actor: Actor, command: GrantRole) -> None:
    """Grant a role, or change when it ends.

    Raises `StructureNotFound`, `MemberNotFound`, `AlreadyPast`, `LastAdministrator`, `Forbidden`.
    """
    async with deps.unit(caller) as unit:
        structure = await _find_structure(deps, unit, actor, command)
        ancestry = structure.ancestry
        require_allowed(may_grant(actor, command.role, ancestry, command.member_id, command.until))
        await _check_member(deps, unit, actor, command)
        if command.until is not None and command.until <= unit.now:
            raise AlreadyPast(until=command.until.isoformat())
        current = await _find_grant(deps, unit, actor, command)
        if _is_shorter(current, command, unit.now):
            await _check_may_end(deps, unit, actor, command, structure)
        await deps.roles.grant(
            unit,
            caller.tenant,
            command.member_id,
            command.role,
            command.structure_id,
            command.until,
        )
        unit.record(
            RoleGranted(
                member_id=command.member_id,
                role=command.role,
                structure_id=command.structure_id,
                granted_by=actor.member_id,
                until=command.until,
            )
        )


async def revoke_role(deps: RolesDeps, caller: Caller, actor: Actor, command: GrantRole) -> None:
    """Revoke a role; nothing happens when the member does not have it.

    Raises `StructureNotFound`, `MemberNotFound`, `LastAdministrator` and `Forbidden`.
    """
    async with deps.unit(caller) as unit:
        structure = await _find_structure(deps, unit, actor, command)
        await _check_may_end(deps, unit, actor, command, structure)
        await _check_member(deps, unit, actor, command)
        if await deps.roles.revoke(
            unit, caller.tenant, command.member_id, command.role, command.structure_id
        ):
            unit.record(
                RoleRevoked(
                    member_id=command.member_id,
                    role=command.role,
                    structure_id=command.structure_id,
                    revoked_by=actor.member_id,
                )
            )


async def _find_structure(
    deps: RolesDeps, unit: Unit, actor: Actor, command: GrantRole
) -> Structure:
    structure = await deps.structures.find(unit, actor.tenant, command.structure_id)
    if structure is None:
        raise StructureNotFound(structure_id=command.structure_id)
    return structure


async def _check_member(deps: RolesDeps, unit: Unit, actor: Actor, command: GrantRole) -> None:
    if await deps.members.find(unit, actor.tenant, command.member_id) is None:
        raise MemberNotFound(member_id=command.member_id)


async def _find_grant(
    deps: RolesDeps, unit: Unit, actor: Actor, command: GrantRole
) -> Grant | None:
    return await deps.roles.find(
        unit, actor.tenant, command.member_id, command.role, command.structure_id
    )


def _is_shorter(current: Grant | None, command: GrantRole, now: datetime) -> bool:
    """Return whether the command ends a current grant earlier than it would end now."""
    if current is None or command.until is None:
        return False
    if current.until is None:
        return True
    return now < current.until and command.until < current.until


async def _check_may_end(
    deps: RolesDeps, unit: Unit, actor: Actor, command: GrantRole, structure: Structure
) -> None:
    """Check that the actor may end this role. Raises `Forbidden` and `LastAdministrator`."""
    held_roles = await deps.members.roles_of(unit, actor.tenant, command.member_id)
    require_allowed(
        may_revoke(actor, command.role, structure.ancestry, command.member_id, held_roles)
    )
    if command.role is not Role.ADMINISTRATOR or structure.parent_id is not None:
        return
    current = await _find_grant(deps, unit, actor, command)
    if current is None or current.until is not None:
        return
    if not await deps.members.has_other_administrator(unit, actor.tenant, command.member_id):
        raise LastAdministrator(member_id=command.member_id)
