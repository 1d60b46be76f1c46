"""`/v1/cases` for moderators, `/v1/statements` for authors."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Header
from pydantic import Field

from services.moderation.cases.domain import Case, Urgency
from services.moderation.cases.handlers.moderate import (
    Decide,
    claim_case,
    decide_case,
    list_queue,
    read_case,
    read_statement,
)
from services.moderation.cases.ports import CasesDeps
from shared.contracts.community import ContentKind
from shared.contracts.ids import CaseId, ContentId, DecisionId, MemberId, StatementId, StructureId
from shared.contracts.moderation import Action, DecidedBy
from shared.kit.web.context import ActorDep, CallerDep
from shared.kit.web.cursors import LIMIT, Limit, Model, decode, encode
from shared.kit.web.fields import Seen
from shared.kit.web.messages import language_of
from shared.kit.web.routes import Routes

Reasons = Mapping[str, Mapping[str, str]]
"""Reason key → language → what the author reads."""


class CaseShown(Model):
    """A case; `text` is masked, and given only when one case is read."""

    case_id: CaseId
    content_id: ContentId
    kind: ContentKind
    structure_id: StructureId
    because: str
    severity: int
    flags: int
    state: str
    opened_at: datetime
    due_at: datetime
    claimed_by: MemberId | None
    claimed_until: datetime | None
    text: str | None = None


class Queue(Model):
    """The open cases that you may decide, the most urgent first, and where the next page begins."""

    items: list[CaseShown]
    next: str | None = None


class NewDecision(Model):
    """What happens to the content, under which policy, and why (told to its author)."""

    action: Action
    policy: Seen = Field(min_length=1, max_length=100, examples=["insult"])
    reason: Seen = Field(min_length=1, max_length=1000, examples=["insult.direct"])


class DecisionShown(Model):
    """What was decided."""

    decision_id: DecisionId
    action: Action
    case_id: CaseId | None


class StatementShown(Model):
    """The reasons of a restriction, in words, and how to contest it."""

    statement_id: StatementId
    action: Action
    policy: str
    reason: str
    words: str
    decided_by: DecidedBy
    issued_at: datetime


def _shown(case: Case, text: str | None = None) -> CaseShown:
    return CaseShown(
        case_id=case.case_id,
        content_id=case.subject.content_id,
        kind=case.subject.kind,
        structure_id=case.subject.structure_id,
        because=case.because,
        severity=case.severity,
        flags=case.flags,
        state=case.state,
        opened_at=case.opened_at,
        due_at=case.due_at,
        claimed_by=case.claimed_by,
        claimed_until=case.claimed_until,
        text=text,
    )


def _urgency(cursor: str) -> Urgency:
    due_at, case_id = decode(cursor, datetime, UUID)
    return due_at, CaseId(case_id)


def routes(deps: CasesDeps, reasons: Reasons) -> Routes:
    """Build the routes of this feature."""
    found = Routes("cases")

    @found.get("/cases", action="case.list")
    async def queue(
        caller: CallerDep, actor: ActorDep, limit: Limit = LIMIT, cursor: str | None = None
    ) -> Queue:
        after = _urgency(cursor) if cursor else None
        cases, last = await list_queue(deps, caller, actor, after, limit)
        return Queue(items=[_shown(case) for case in cases], next=encode(*last) if last else None)

    @found.get("/cases/{case_id}", action="case.read")
    async def read(caller: CallerDep, actor: ActorDep, case_id: CaseId) -> CaseShown:
        return _shown(*await read_case(deps, caller, actor, case_id))

    @found.post("/cases/{case_id}/claim", action="case.claim")
    async def claim(caller: CallerDep, actor: ActorDep, case_id: CaseId) -> CaseShown:
        return _shown(await claim_case(deps, caller, actor, case_id))

    @found.post("/cases/{case_id}/decision", action="case.decide", status_code=201)
    async def decide(
        caller: CallerDep, actor: ActorDep, case_id: CaseId, new: NewDecision
    ) -> DecisionShown:
        command = Decide(case_id, new.action, new.policy, new.reason)
        made = await decide_case(deps, caller, actor, command)
        return DecisionShown(decision_id=made.decision_id, action=made.action, case_id=made.case_id)

    _statements(found, deps, reasons)
    return found


def _statements(found: Routes, deps: CasesDeps, reasons: Reasons) -> None:
    @found.get("/statements/{statement_id}", action="statement.read")
    async def statement(
        caller: CallerDep,
        actor: ActorDep,
        statement_id: StatementId,
        accept_language: Annotated[str, Header()] = "",
    ) -> StatementShown:
        owed = await read_statement(deps, caller, actor, statement_id)
        words = reasons.get(owed.reason, {}).get(language_of(accept_language), owed.reason)
        return StatementShown(
            statement_id=owed.statement_id,
            action=owed.action,
            policy=owed.policy,
            reason=owed.reason,
            words=words,
            decided_by=owed.decided_by,
            issued_at=owed.issued_at,
        )
