"""Invite a tenant's first administrator again, after a lost or expired invitation."""

from dataclasses import dataclass

from services.identity.members.domain import MemberNotFound
from services.identity.sessions.handlers.invite import InviteMember, invite_member
from services.identity.sessions.ports import SessionsDeps
from services.identity.tenants.domain import PasswordAlreadySet
from services.identity.tenants.ports import TenantsDeps
from shared.contracts.identity import Role
from shared.contracts.ids import MemberId, TenantId
from shared.kit.core.unit_of_work import Caller


@dataclass(frozen=True)
class InviteAdministrator:
    """Invite an administrator of a tenant without a password so far."""

    tenant_id: TenantId
    member_id: MemberId


async def invite_administrator(
    deps: TenantsDeps, sessions: SessionsDeps, caller: Caller, command: InviteAdministrator
) -> str:
    """Invite the administrator on the platform's behalf; the audit row names the operator.

    An operator cannot reset a password. Raises `MemberNotFound` and `PasswordAlreadySet`.
    """
    tenant, member_id = command.tenant_id, command.member_id
    # A separate transaction: row-level security limits the caller's one to the operator's tenant.
    platform = Caller(tenant, None, caller.correlation)
    async with deps.unit(platform) as unit:
        roles = await deps.members.roles_of(unit, tenant, member_id)
        if not any(held_role.role is Role.ADMINISTRATOR for held_role in roles):
            raise MemberNotFound(member_id=member_id)
        if await sessions.passwords.credentials.find_by_member(unit, tenant, member_id) is not None:
            raise PasswordAlreadySet(member_id=member_id)
    token = await invite_member(sessions, platform, InviteMember(tenant, member_id))
    async with deps.unit(caller) as unit:
        unit.audit(caller, "tenant.invite", member_id, tenant=str(tenant))
    return token
