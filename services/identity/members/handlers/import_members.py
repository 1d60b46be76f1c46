"""Import a chunk of members from another system: one transaction, an outcome per row."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from services.identity.members.domain import MAX_NAME_CHARACTERS, Member, make_handle
from services.identity.members.policy import may_import, may_import_system
from services.identity.members.ports import MembersDeps
from services.identity.structures.domain import StructureNotFound
from shared.contracts.event import Origin, Sealed
from shared.contracts.identity import MemberJoined, MemberKind, PersonDetails
from shared.contracts.ids import MemberId, StructureId, imported_id
from shared.kit.core.policy import Actor, Denied, require_allowed
from shared.kit.core.unit_of_work import Caller, Unit
from shared.kit.text.characters import is_blank, is_visible_line

EARLIEST_DATE = datetime(1900, 1, 1, tzinfo=UTC)
"""Older dates are mistakes; days near year 1 cannot be converted to every time zone."""


@dataclass(frozen=True)
class ImportedMember:
    """A member as the source system has it; `joined_at` has a time zone."""

    outside_id: str
    display_name: str
    joined_at: datetime
    system: bool = False


@dataclass(frozen=True)
class ImportMembers:
    """A chunk of members from one source, for one structure."""

    source: str
    structure_id: StructureId | None
    rows: Sequence[ImportedMember]


Outcome = tuple[str, str | None]
"""`created`, `unchanged`, `repeated`, or `refused` with a reason."""


def joined_fact(member: Member) -> MemberJoined:
    """Build the event for a new member."""
    details = PersonDetails(
        display_name=member.display_name, handle=member.handle, email=member.email
    )
    return MemberJoined(
        member_id=member.member_id,
        person=Sealed(clear=details),
        kind=member.kind,
        minor=member.minor,
        structure_id=member.structure_id,
    )


async def import_members(
    deps: MembersDeps, caller: Caller, actor: Actor, command: ImportMembers
) -> list[Outcome]:
    """Import a chunk in one transaction; returns an outcome per row, in their order.

    Raises `StructureNotFound` and `Forbidden`.
    """
    importing = replace(caller, origin=Origin.IMPORT)
    async with deps.unit(importing) as unit:
        refused_kind = await _check_right(deps, unit, actor, command)
        new_members: dict[MemberId, Member] = {}
        outcomes: list[Outcome | MemberId] = []
        for row in command.rows:
            reason = _rejection_reason(row, unit.now) or (refused_kind if row.system else None)
            member = _to_member(caller, command, row)
            if reason:
                outcomes.append(("refused", reason))
            elif member.member_id in new_members:
                outcomes.append(("repeated", None))
            else:
                new_members[member.member_id] = member
                outcomes.append(member.member_id)
        created = await deps.members.add(unit, list(new_members.values()))
        for member in new_members.values():
            if member.member_id in created:
                unit.record(joined_fact(member), at=member.joined_at)
        subject = command.structure_id or caller.tenant
        unit.audit(caller, "members.imported", subject, **_audit_facts(command, len(created)))
    return [
        outcome
        if isinstance(outcome, tuple)
        else ("created" if outcome in created else "unchanged", None)
        for outcome in outcomes
    ]


def _audit_facts(command: ImportMembers, created: int) -> dict[str, str | int]:
    return {"source": command.source, "lines": len(command.rows), "created": created}


async def _check_right(
    deps: MembersDeps, unit: Unit, actor: Actor, command: ImportMembers
) -> str | None:
    """Check the right to import; return why system accounts are refused, None if they are allowed.

    Raises `StructureNotFound` and `Forbidden`.
    """
    root = await deps.structures.root(unit, actor.tenant)
    structure = root
    if command.structure_id is not None:
        chosen_structure = await deps.structures.find(unit, actor.tenant, command.structure_id)
        if chosen_structure is None:
            raise StructureNotFound(structure_id=command.structure_id)
        structure = chosen_structure
    require_allowed(may_import(actor, structure.ancestry))
    if isinstance(may_import_system(actor, root.structure_id), Denied):
        return "only an administrator of the whole tenant imports system accounts"
    return None


def _rejection_reason(row: ImportedMember, now: datetime) -> str | None:
    if is_blank(row.display_name):
        return "the name is empty"
    if not is_visible_line(row.display_name):
        return "the name holds line ends or characters that cannot be seen"
    if len(row.display_name) > MAX_NAME_CHARACTERS:
        return f"the name is longer than {MAX_NAME_CHARACTERS} characters"
    if row.joined_at > now:
        return "the date lies in the future"
    if row.joined_at < EARLIEST_DATE:
        return "the date lies before 1900"
    return None


def _to_member(caller: Caller, command: ImportMembers, row: ImportedMember) -> Member:
    new_id = imported_id(caller.tenant, command.source, "member", row.outside_id)
    return Member(
        tenant_id=caller.tenant,
        member_id=MemberId(new_id),
        display_name=row.display_name,
        handle=make_handle(row.display_name, new_id),
        joined_at=row.joined_at,
        structure_id=command.structure_id,
        kind=MemberKind.SYSTEM if row.system else MemberKind.PERSON,
    )
