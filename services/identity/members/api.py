"""`/v1/members` and `/v1/imports`."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import Response
from pydantic import AwareDatetime, Field
from pydantic.json_schema import SkipJsonSchema

from services.identity.members.domain import LONGEST_NAME
from services.identity.members.handlers.add_members import (
    ImportedMember,
    ImportMembers,
    Outcome,
    import_members,
)
from services.identity.members.handlers.change_standing import Suspend, reinstate, suspend
from services.identity.members.handlers.give_access import (
    check_may_invite,
    check_may_manage,
    end_members_sessions,
)
from services.identity.members.handlers.join import AddMember, add_member
from services.identity.members.policy import may_send_imports
from services.identity.members.ports import MembersDeps
from services.identity.sessions.handlers.invite import Invite, invite, withdraw_invitation
from services.identity.sessions.ports import SessionsDeps
from shared.contracts.ids import MemberId, StructureId
from shared.kit.web.context import ActorDep, CallerDep
from shared.kit.web.cursors import Model
from shared.kit.web.fields import Moment, Name, Seen
from shared.kit.web.lines import UnreadableLine, outcomes_in_order, read_alone
from shared.kit.web.routes import Routes

CHUNK = 500
IMPORT_LIMIT = 5_000_000


class MemberLine(Model):
    """A member as the outside system knows it."""

    outside_id: str = Field(min_length=1, max_length=200, examples=["42"])
    display_name: str = Field(max_length=10 * LONGEST_NAME, examples=["Zoé Le Goff"])
    joined_at: AwareDatetime
    system: bool = False


class MemberImport(Model):
    """A chunk of at most 500 members of one source."""

    source: str = Field(min_length=1, max_length=200, examples=["stackexchange:entraide"])
    structure_id: StructureId | None = None
    lines: list[Annotated[MemberLine | SkipJsonSchema[UnreadableLine], read_alone(MemberLine)]] = (
        Field(max_length=CHUNK)
    )


class LineVerdict(Model):
    """What became of one line."""

    outcome: Literal["created", "unchanged", "repeated", "refused"]
    reason: str | None = None


class ImportVerdicts(Model):
    """One per line, in their order."""

    lines: list[LineVerdict]


class Suspension(Model):
    """Why, and until when (nothing: until reinstated)."""

    reason: Seen = Field(min_length=1, max_length=200, examples=["repeated_insults"])
    until: Moment | None = None


class NewMember(Model):
    """Who joins, and where."""

    display_name: Name = Field(min_length=1, max_length=LONGEST_NAME, examples=["Zoé Le Goff"])
    email: str = Field(
        max_length=1000,
        examples=["zoe.le-goff@exemple.fr"],
        description="one mail address; what surrounds it when it is pasted is taken away",
    )
    structure_id: StructureId
    minor: bool = False


class MemberAdded(Model):
    """The member, and the one-time invitation with which they set a password."""

    member_id: MemberId
    handle: str
    invitation: str


class Invitation(Model):
    """A new invitation: those made before for the member hold no longer.

    Accepting it sets a new password and ends all sessions of the member.
    """

    member_id: MemberId
    invitation: str


def _verdicts(outcomes: Sequence[Outcome]) -> ImportVerdicts:
    lines = [LineVerdict.model_validate({"outcome": o, "reason": r}) for o, r in outcomes]
    return ImportVerdicts(lines=lines)


def routes(deps: MembersDeps, sessions: SessionsDeps) -> Routes:
    """Build the routes of this feature."""
    found = Routes("members")

    @found.post("/members", action="member.add", status_code=201, secret=("invitation",))
    async def add(caller: CallerDep, actor: ActorDep, new: NewMember) -> MemberAdded:
        member = await add_member(deps, caller, actor, AddMember(**new.model_dump()))
        token = await invite(sessions, caller, Invite(member.tenant_id, member.member_id))
        return MemberAdded(member_id=member.member_id, handle=member.handle, invitation=token)

    @found.post(
        "/imports",
        action="member.import",
        limit=IMPORT_LIMIT,
        gate=may_send_imports,
        load="import",
    )
    async def import_chunk(
        caller: CallerDep, actor: ActorDep, chunk: MemberImport
    ) -> ImportVerdicts:
        readable = [line for line in chunk.lines if isinstance(line, MemberLine)]
        lines = [ImportedMember(**line.model_dump()) for line in readable]
        command = ImportMembers(chunk.source, chunk.structure_id, lines)
        done = await import_members(deps, caller, actor, command)
        return _verdicts(outcomes_in_order(chunk.lines, done))

    @found.post("/members/{member_id}/suspension", action="member.suspend", status_code=204)
    async def suspend_one(
        caller: CallerDep, actor: ActorDep, member_id: MemberId, why: Suspension
    ) -> Response:
        await suspend(deps, caller, actor, Suspend(member_id, why.reason, why.until))
        return Response(status_code=204)

    @found.delete("/members/{member_id}/suspension", action="member.reinstate", status_code=204)
    async def reinstate_one(caller: CallerDep, actor: ActorDep, member_id: MemberId) -> Response:
        await reinstate(deps, caller, actor, member_id)
        return Response(status_code=204)

    _add_access_routes(found, deps, sessions)
    return found


def _add_access_routes(found: Routes, deps: MembersDeps, sessions: SessionsDeps) -> None:
    """Add what administrators do about a member's way in."""

    @found.post(
        "/members/{member_id}/invitation",
        action="member.invite",
        status_code=201,
        secret=("invitation",),
    )
    async def invite_again(caller: CallerDep, actor: ActorDep, member_id: MemberId) -> Invitation:
        await check_may_invite(deps, caller, actor, member_id)
        token = await invite(sessions, caller, Invite(caller.tenant, member_id))
        return Invitation(member_id=member_id, invitation=token)

    @found.delete("/members/{member_id}/invitation", action="member.uninvite", status_code=204)
    async def withdraw_one(caller: CallerDep, actor: ActorDep, member_id: MemberId) -> Response:
        await check_may_manage(deps, caller, actor, member_id)
        await withdraw_invitation(sessions, caller, member_id)
        return Response(status_code=204)

    @found.delete("/members/{member_id}/sessions", action="member.end_sessions", status_code=204)
    async def end_sessions_of(caller: CallerDep, actor: ActorDep, member_id: MemberId) -> Response:
        await end_members_sessions(deps, caller, actor, member_id)
        return Response(status_code=204)
