"""Invite a member, and let them set their first password with the invitation."""

from dataclasses import dataclass

from services.identity.sessions.domain import InvitationUsed
from services.identity.sessions.ports import SessionsDeps
from shared.contracts.ids import MemberId, TenantId
from shared.kit.unit import Caller


@dataclass(frozen=True)
class Invite:
    """Whom to invite."""

    tenant: TenantId
    member_id: MemberId


async def invite(deps: SessionsDeps, command: Invite) -> str:
    """Make an invitation; it holds until it is accepted, seven days at most."""
    return deps.signer.invitation(command.tenant, command.member_id)


async def accept_invitation(
    deps: SessionsDeps, invitation: str, password: str, correlation: str
) -> None:
    """Set the first password. Raises `Unauthorised` and `InvitationUsed`."""
    tenant, member_id = deps.signer.read_invitation(invitation)
    password_hash = await deps.hasher.hash(password)
    async with deps.unit(Caller(tenant, member_id, correlation)) as unit:
        if not await deps.credentials.set_password(unit, tenant, member_id, password_hash):
            raise InvitationUsed
