"""`/v1/cases`, for moderators."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from services.moderation.cases.domain import Case, CaseFile, CaseQueueKey
from services.moderation.cases.handlers.moderate import (
    Decide,
    claim_case,
    decide_case,
    list_queue,
    read_case,
)
from services.moderation.cases.ports import CasesDeps
from shared.contracts.community import ContentKind
from shared.contracts.ids import CaseId, ContentId, DecisionId, MemberId, StructureId
from shared.contracts.moderation import Action
from shared.kit.web.context import ActorDep, CallerDep
from shared.kit.web.cursors import MAX_PAGE_ITEMS, ApiModel, PageLimit, decode, encode
from shared.kit.web.fields import NonBlankStr
from shared.kit.web.routes import Routes


class CaseShown(ApiModel):
    """A case in the queue; `flags` counts the people who flagged its content."""

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


class EvidenceShown(ApiModel):
    """A version that gave a reason for review, masked; `why` lists the reasons."""

    version: int
    text: str | None
    at: datetime
    why: list[str]


class FlagShown(ApiModel):
    """One flag; within a case, the same number is the same person."""

    person: int
    version: int
    reason: str
    at: datetime


class EntryShown(ApiModel):
    """An event in the history of the case or of its content."""

    what: str
    at: datetime
    version: int | None
    detail: str | None


class DossierShown(CaseShown):
    """A case as its moderators read it; all texts are masked.

    `version` is the latest one: a decision must name it. `text` is the text of that version, or
    null when its author removed it (`removed_at`); `edited_at` is the time of an edit after the
    first reason for review. `evidence` contains the texts as they were.
    """

    version: int
    text: str | None
    edited_at: datetime | None
    removed_at: datetime | None
    evidence: list[EvidenceShown]
    flagged: list[FlagShown]
    timeline: list[EntryShown]


class Queue(ApiModel):
    """The open cases that the caller may decide, the most urgent first, and the next page."""

    items: list[CaseShown]
    next: str | None = None


class NewDecision(ApiModel):
    """The action on the content, the policy behind it, and the reason (sent to its author).

    `version` is the version that the moderator read. When there is a later one, the response is
    409.
    """

    version: int = Field(ge=1, le=2**31 - 1, examples=[1])
    action: Action
    policy: NonBlankStr = Field(min_length=1, max_length=100, examples=["insult"])
    reason: NonBlankStr = Field(min_length=1, max_length=1000, examples=["insult.direct"])


class DecisionShown(ApiModel):
    """A decision, and the version that it is about."""

    decision_id: DecisionId
    action: Action
    case_id: CaseId | None
    version: int


def _to_case(case: Case) -> CaseShown:
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
    )


def _to_dossier(dossier: CaseFile) -> DossierShown:
    people = dossier.flagger_numbers
    return DossierShown(
        **_to_case(dossier.case).model_dump(),
        version=dossier.version,
        text=dossier.text,
        edited_at=dossier.edited_at,
        removed_at=dossier.removed_at,
        evidence=[
            EvidenceShown(version=e.version, text=e.text, at=e.at, why=list(e.why))
            for e in dossier.evidence
        ],
        flagged=[
            FlagShown(person=people[f.member_id], version=f.version, reason=f.reason, at=f.at)
            for f in dossier.flags
        ],
        timeline=[
            EntryShown(what=e.what, at=e.at, version=e.version, detail=e.detail)
            for e in dossier.timeline
        ],
    )


def _to_queue_key(cursor: str) -> CaseQueueKey:
    due_at, case_id = decode(cursor, datetime, UUID)
    return due_at, CaseId(case_id)


def routes(deps: CasesDeps) -> Routes:
    """Build the routes of this feature."""
    feature = Routes("cases")

    @feature.get("/cases", action="case.list")
    async def queue(
        caller: CallerDep,
        actor: ActorDep,
        limit: PageLimit = MAX_PAGE_ITEMS,
        cursor: str | None = None,
    ) -> Queue:
        after = _to_queue_key(cursor) if cursor else None
        cases, last = await list_queue(deps, caller, actor, after, limit)
        return Queue(items=[_to_case(case) for case in cases], next=encode(*last) if last else None)

    @feature.get("/cases/{case_id}", action="case.read")
    async def read(caller: CallerDep, actor: ActorDep, case_id: CaseId) -> DossierShown:
        return _to_dossier(await read_case(deps, caller, actor, case_id))

    @feature.post("/cases/{case_id}/claim", action="case.claim")
    async def claim(caller: CallerDep, actor: ActorDep, case_id: CaseId) -> CaseShown:
        return _to_case(await claim_case(deps, caller, actor, case_id))

    @feature.post("/cases/{case_id}/decision", action="case.decide", status_code=201)
    async def decide(
        caller: CallerDep, actor: ActorDep, case_id: CaseId, new: NewDecision
    ) -> DecisionShown:
        command = Decide(case_id, new.version, new.action, new.policy, new.reason)
        decision = await decide_case(deps, caller, actor, command)
        return DecisionShown(
            decision_id=decision.decision_id,
            action=decision.action,
            case_id=decision.case_id,
            version=new.version,
        )

    return feature
