"""Add members: one who joins here, or a chunk of those who come from elsewhere."""

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
"""What is older is a mistake; days near the year 1 exist in some time zones only."""


@dataclass(frozen=True)
class ImportedMember:
    """A member as the outside system knows it; `joined_at` with its zone."""

    outside_id: str
    display_name: str
    joined_at: datetime
    system: bool = False


@dataclass(frozen=True)
class ImportMembers:
    """A chunk of members from one source, into one structure."""

    source: str
    structure_id: StructureId | None
    rows: Sequence[ImportedMember]


Outcome = tuple[str, str | None]
"""`created`, `unchanged`, `repeated`, or `refused` and why."""


def joined_fact(member: Member) -> MemberJoined:
    """Say that this member joined."""
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
    """Import a chunk in one transaction; an outcome per line, in their order.

    Raises `StructureNotFound` and `Forbidden`.
    """
    importing = replace(caller, origin=Origin.IMPORT)
    async with deps.unit(importing) as unit:
        refused_kind = await _demand(deps, unit, actor, command)
        wanted: dict[MemberId, Member] = {}
        outcomes: list[Outcome | MemberId] = []
        for line in command.rows:
            refusal = _refusal(line, unit.now) or (refused_kind if line.system else None)
            member = _member(caller, command, line)
            if refusal:
                outcomes.append(("refused", refusal))
            elif member.member_id in wanted:
                outcomes.append(("repeated", None))
            else:
                wanted[member.member_id] = member
                outcomes.append(member.member_id)
        created = await deps.members.add(unit, list(wanted.values()))
        for member_id in (each for each in wanted if each in created):
            member = wanted[member_id]
            unit.record(joined_fact(member), at=member.joined_at)
        subject = command.structure_id or caller.tenant
        unit.audit(caller, "members.imported", subject, **_counts(command, len(created)))
    return [
        each if isinstance(each, tuple) else ("created" if each in created else "unchanged", None)
        for each in outcomes
    ]


def _counts(command: ImportMembers, created: int) -> dict[str, str | int]:
    return {"source": command.source, "lines": len(command.rows), "created": created}


async def _demand(
    deps: MembersDeps, unit: Unit, actor: Actor, command: ImportMembers
) -> str | None:
    """Check the right to import there; give why system accounts are refused, None if they are not.

    Raises `StructureNotFound` and `Forbidden`.
    """
    root = await deps.structures.root(unit, actor.tenant)
    structure = root
    if command.structure_id is not None:
        wanted = await deps.structures.find(unit, actor.tenant, command.structure_id)
        if wanted is None:
            raise StructureNotFound(structure_id=command.structure_id)
        structure = wanted
    require_allowed(may_import(actor, structure.ancestry))
    if isinstance(may_import_system(actor, root.structure_id), Denied):
        return "only an administrator of the whole tenant imports system accounts"
    return None


def _refusal(line: ImportedMember, now: datetime) -> str | None:
    if is_blank(line.display_name):
        return "the name is empty"
    if not is_visible_line(line.display_name):
        return "the name holds line ends or characters that cannot be seen"
    if len(line.display_name) > MAX_NAME_CHARACTERS:
        return f"the name is longer than {MAX_NAME_CHARACTERS} characters"
    if line.joined_at > now:
        return "the date lies in the future"
    if line.joined_at < EARLIEST_DATE:
        return "the date lies before 1900"
    return None


def _member(caller: Caller, command: ImportMembers, line: ImportedMember) -> Member:
    found = imported_id(caller.tenant, command.source, "member", line.outside_id)
    return Member(
        tenant_id=caller.tenant,
        member_id=MemberId(found),
        display_name=line.display_name,
        handle=make_handle(line.display_name, found),
        joined_at=line.joined_at,
        structure_id=command.structure_id,
        kind=MemberKind.SYSTEM if line.system else MemberKind.PERSON,
    )
