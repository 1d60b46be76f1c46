"""Grant a role in a structure, or revoke it."""

from dataclasses import dataclass
from datetime import datetime

from services.identity.members.domain import AlreadyPast, MemberNotFound
from services.identity.roles.policy import may_grant
from services.identity.roles.ports import RolesDeps
from services.identity.structures.domain import StructureNotFound
from shared.contracts.identity import Role, RoleGranted, RoleRevoked
from shared.contracts.ids import MemberId, StructureId
from shared.kit.policy import Actor, demand
from shared.kit.unit import Caller, Unit


@dataclass(frozen=True)
class GrantRole:
    """Grant (or revoke) a role in a structure, until a moment."""

    member_id: MemberId
    role: Role
    structure_id: StructureId
    until: datetime | None = None


async def grant_role(deps: RolesDeps, caller: Caller, actor: Actor, command: GrantRole) -> None:
    """Grant it. Raises `StructureNotFound`, `MemberNotFound`, `AlreadyPast` and `Forbidden`."""
    async with deps.unit(caller) as unit:
        await _demand(deps, unit, actor, command)
        if command.until is not None and command.until <= unit.now:
            raise AlreadyPast(until=command.until.isoformat())
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
    """Take it back; nothing happens when it was not held."""
    async with deps.unit(caller) as unit:
        await _demand(deps, unit, actor, command)
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


async def _demand(deps: RolesDeps, unit: Unit, actor: Actor, command: GrantRole) -> None:
    structure = await deps.structures.find(unit, actor.tenant, command.structure_id)
    if structure is None:
        raise StructureNotFound(structure_id=command.structure_id)
    demand(may_grant(actor, command.role, structure.line))
    if await deps.members.find(unit, actor.tenant, command.member_id) is None:
        raise MemberNotFound(member_id=command.member_id)
