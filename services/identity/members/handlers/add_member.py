"""Add a member, who sets a password with an invitation."""

from dataclasses import dataclass

from services.identity.members.domain import EmailTaken, Member, make_handle, parse_address
from services.identity.members.handlers.import_members import joined_fact
from services.identity.members.policy import may_manage
from services.identity.members.ports import MembersDeps
from services.identity.structures.domain import StructureNotFound
from shared.contracts.ids import MemberId, StructureId
from shared.kit.core.policy import Actor, require_allowed
from shared.kit.core.unit_of_work import Caller


@dataclass(frozen=True)
class AddMember:
    """Add a member to a structure; `minor` marks a member under age."""

    display_name: str
    email: str
    structure_id: StructureId
    minor: bool = False


async def add_member(deps: MembersDeps, caller: Caller, actor: Actor, command: AddMember) -> Member:
    """Add a member. Raises `StructureNotFound`, `AddressInvalid`, `EmailTaken`, `Forbidden`."""
    email = parse_address(command.email)
    async with deps.unit(caller) as unit:
        structure = await deps.structures.find(unit, caller.tenant, command.structure_id)
        if structure is None:
            raise StructureNotFound(structure_id=command.structure_id)
        require_allowed(may_manage(actor, structure.ancestry, None))
        member_id = MemberId(deps.new_id())
        member = Member(
            tenant_id=caller.tenant,
            member_id=member_id,
            display_name=command.display_name,
            handle=make_handle(command.display_name, member_id),
            joined_at=unit.now,
            structure_id=command.structure_id,
            email=email,
            minor=command.minor,
        )
        if not await deps.members.add(unit, [member]):
            raise EmailTaken(email=email)
        unit.record(joined_fact(member))
    return member
