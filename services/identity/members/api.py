"""`/v1/members` and `/v1/imports`."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import Response
from pydantic import AwareDatetime, Field
from pydantic.json_schema import SkipJsonSchema

from services.identity.members.domain import MAX_NAME_CHARACTERS
from services.identity.members.handlers.add_member import AddMember, add_member
from services.identity.members.handlers.import_members import (
    ImportedMember,
    ImportMembers,
    Outcome,
    import_members,
)
from services.identity.members.handlers.manage_access import (
    check_may_invite,
    check_may_manage,
    end_sessions_of_member,
)
from services.identity.members.handlers.suspend_member import (
    SuspendMember,
    reinstate_member,
    suspend_member,
)
from services.identity.members.policy import may_send_imports
from services.identity.members.ports import MembersDeps
from services.identity.sessions.handlers.invite import (
    InviteMember,
    invite_member,
    withdraw_invitation,
)
from services.identity.sessions.ports import SessionsDeps
from shared.contracts.ids import MemberId, StructureId
from shared.kit.web.context import ActorDep, CallerDep
from shared.kit.web.cursors import ApiModel
from shared.kit.web.fields import NonBlankStr, SingleLineName, UtcDatetime
from shared.kit.web.import_lines import UnreadableLine, merge_outcomes, validate_line_alone
from shared.kit.web.routes import Routes

MAX_CHUNK_LINES = 500
MAX_IMPORT_BYTES = 5_000_000


class MemberLine(ApiModel):
    """A member as the source system has it."""

    outside_id: str = Field(min_length=1, max_length=200, examples=["42"])
    display_name: str = Field(max_length=10 * MAX_NAME_CHARACTERS, examples=["Zoé Le Goff"])
    joined_at: AwareDatetime
    system: bool = False


class MemberImport(ApiModel):
    """A chunk of at most 500 members of one source."""

    source: str = Field(min_length=1, max_length=200, examples=["stackexchange:entraide"])
    structure_id: StructureId | None = None
    lines: list[
        Annotated[MemberLine | SkipJsonSchema[UnreadableLine], validate_line_alone(MemberLine)]
    ] = Field(max_length=MAX_CHUNK_LINES)


class LineVerdict(ApiModel):
    """The outcome of one line."""

    outcome: Literal["created", "unchanged", "repeated", "refused"]
    reason: str | None = None


class ImportVerdicts(ApiModel):
    """One verdict per line, in the order of the lines."""

    lines: list[LineVerdict]


class Suspension(ApiModel):
    """Why a member is suspended, and until when (without `until`: until reinstated)."""

    reason: NonBlankStr = Field(min_length=1, max_length=200, examples=["repeated_insults"])
    until: UtcDatetime | None = None


class NewMember(ApiModel):
    """A member to add to a structure."""

    display_name: SingleLineName = Field(
        min_length=1, max_length=MAX_NAME_CHARACTERS, examples=["Zoé Le Goff"]
    )
    email: str = Field(
        max_length=1000,
        examples=["zoe.le-goff@exemple.fr"],
        description="one mail address; a name or brackets around it are removed",
    )
    structure_id: StructureId
    minor: bool = False


class MemberAdded(ApiModel):
    """The member, and the one-time invitation with which the member sets a password."""

    member_id: MemberId
    handle: str
    invitation: str


class Invitation(ApiModel):
    """A new invitation; earlier invitations of the member become invalid.

    Accepting it sets a new password and ends all sessions of the member.
    """

    member_id: MemberId
    invitation: str


def _to_verdicts(outcomes: Sequence[Outcome]) -> ImportVerdicts:
    lines = [LineVerdict.model_validate({"outcome": o, "reason": r}) for o, r in outcomes]
    return ImportVerdicts(lines=lines)


def routes(deps: MembersDeps, sessions: SessionsDeps) -> Routes:
    """Build the routes of members."""
    router = Routes("members")

    @router.post("/members", action="member.add", status_code=201, secret_fields=("invitation",))
    async def add(caller: CallerDep, actor: ActorDep, new: NewMember) -> MemberAdded:
        member = await add_member(deps, caller, actor, AddMember(**new.model_dump()))
        token = await invite_member(
            sessions, caller, InviteMember(member.tenant_id, member.member_id)
        )
        return MemberAdded(member_id=member.member_id, handle=member.handle, invitation=token)

    @router.post(
        "/imports",
        action="member.import",
        max_body_bytes=MAX_IMPORT_BYTES,
        gate=may_send_imports,
        cost="import",
    )
    async def import_chunk(
        caller: CallerDep, actor: ActorDep, chunk: MemberImport
    ) -> ImportVerdicts:
        readable = [line for line in chunk.lines if isinstance(line, MemberLine)]
        lines = [ImportedMember(**line.model_dump()) for line in readable]
        command = ImportMembers(chunk.source, chunk.structure_id, lines)
        outcomes = await import_members(deps, caller, actor, command)
        return _to_verdicts(merge_outcomes(chunk.lines, outcomes))

    _add_suspension_routes(router, deps)
    _add_access_routes(router, deps, sessions)
    return router


def _add_suspension_routes(router: Routes, deps: MembersDeps) -> None:
    @router.post("/members/{member_id}/suspension", action="member.suspend", status_code=204)
    async def suspend_one(
        caller: CallerDep, actor: ActorDep, member_id: MemberId, suspension: Suspension
    ) -> Response:
        await suspend_member(
            deps, caller, actor, SuspendMember(member_id, suspension.reason, suspension.until)
        )
        return Response(status_code=204)

    @router.delete("/members/{member_id}/suspension", action="member.reinstate", status_code=204)
    async def reinstate_one(caller: CallerDep, actor: ActorDep, member_id: MemberId) -> Response:
        await reinstate_member(deps, caller, actor, member_id)
        return Response(status_code=204)


def _add_access_routes(router: Routes, deps: MembersDeps, sessions: SessionsDeps) -> None:
    """Add the routes with which administrators manage a member's access."""

    @router.post(
        "/members/{member_id}/invitation",
        action="member.invite",
        status_code=201,
        secret_fields=("invitation",),
    )
    async def invite_again(caller: CallerDep, actor: ActorDep, member_id: MemberId) -> Invitation:
        await check_may_invite(deps, caller, actor, member_id)
        token = await invite_member(sessions, caller, InviteMember(caller.tenant, member_id))
        return Invitation(member_id=member_id, invitation=token)

    @router.delete("/members/{member_id}/invitation", action="member.uninvite", status_code=204)
    async def withdraw_one(caller: CallerDep, actor: ActorDep, member_id: MemberId) -> Response:
        await check_may_manage(deps, caller, actor, member_id)
        await withdraw_invitation(sessions, caller, member_id)
        return Response(status_code=204)

    @router.delete("/members/{member_id}/sessions", action="member.end_sessions", status_code=204)
    async def end_sessions_of(caller: CallerDep, actor: ActorDep, member_id: MemberId) -> Response:
        await end_sessions_of_member(deps, caller, actor, member_id)
        return Response(status_code=204)
