"""Invite members, and set their passwords with the invitation."""

from dataclasses import dataclass

from services.identity.sessions.domain import InvitationVoid
from services.identity.sessions.handlers.end_sessions import end_sessions
from services.identity.sessions.handlers.passwords import hash_new_password
from services.identity.sessions.ports import SessionsDeps
from shared.contracts.identity import SessionEnd
from shared.contracts.ids import MemberId, TenantId
from shared.kit.core.suspension import MemberSuspended
from shared.kit.core.unit_of_work import Caller, Unit


@dataclass(frozen=True)
class InviteMember:
    """Invite a member of a tenant."""

    tenant: TenantId
    member_id: MemberId


async def invite_member(deps: SessionsDeps, caller: Caller, command: InviteMember) -> str:
    """Issue an invitation, valid until it is accepted or replaced, for seven days at most.

    Earlier invitations of the member become invalid.
    """
    async with deps.unit(caller) as unit:
        number = await deps.invitations.issue(unit, command.tenant, command.member_id)
        unit.audit(caller, "invitation.issue", command.member_id, number=number)
    return deps.tokens.invitation.sign_invitation(command.tenant, command.member_id, number)


async def withdraw_invitation(deps: SessionsDeps, caller: Caller, member_id: MemberId) -> None:
    """Withdraw a member's latest invitation. Raises `InvitationVoid` when none was valid."""
    async with deps.unit(caller) as unit:
        if not await deps.invitations.withdraw(unit, caller.tenant, member_id):
            raise InvitationVoid
        unit.audit(caller, "invitation.withdraw", member_id)


async def accept_invitation(
    deps: SessionsDeps, invitation: str, password: str, correlation: str
) -> None:
    """Set the password and end all sessions that were opened with an earlier one.

    Raises `Unauthorised`, `InvitationUsed`, `InvitationVoid`, `MemberSuspended` and the errors of
    `hash_new_password`.
    """
    tenant, member_id, number = deps.tokens.invitation.read_invitation(invitation)
    caller = Caller(tenant, member_id, correlation)
    async with deps.unit(caller) as unit:
        await _check_acceptable(deps, unit, caller, number)
    # Hashing takes tens of milliseconds, so it runs between two units: no row is locked meanwhile.
    password_hash = await hash_new_password(deps, tenant, member_id, password)
    async with deps.unit(caller) as unit:
        await _check_acceptable(deps, unit, caller, number)
        await deps.invitations.accept(unit, tenant, member_id)
        await deps.passwords.credentials.set_password(unit, tenant, member_id, password_hash)
        unit.audit(caller, "password.set", member_id, invitation=number)
        reset = SessionEnd.PASSWORD_RESET
        await end_sessions(deps.sessions, unit, (tenant, member_id), reset)


async def _check_acceptable(deps: SessionsDeps, unit: Unit, caller: Caller, number: int) -> None:
    """Refuse an invalid invitation, and a suspended member."""
    assert caller.member_id is not None  # noqa: S101  the invitation names a member
    await deps.invitations.check(unit, caller.tenant, caller.member_id, number)
    suspension = await deps.member_lookup.suspension_of(unit, caller.tenant, caller.member_id)
    if suspension is not None:
        raise MemberSuspended.from_suspension(suspension)
