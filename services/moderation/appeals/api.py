"""`/v1/statements` for authors, `/v1/appeals` for moderators."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Header
from pydantic import Field

from services.moderation.appeals.domain import MAX_APPEAL_CHARACTERS, Appeal, StatementView
from services.moderation.appeals.handlers.contest import (
    contest_statement,
    list_statements,
    read_statement,
)
from services.moderation.appeals.handlers.judge import (
    AppealFile,
    DecideAppeal,
    decide_appeal,
    list_appeals,
    read_appeal,
)
from services.moderation.appeals.ports import AppealQueueKey, AppealsDeps
from services.moderation.cases.domain import Subject
from shared.contracts.community import ContentKind
from shared.contracts.ids import AppealId, ContentId, DecisionId, SpaceId, StatementId, StructureId
from shared.contracts.moderation import Action, DecidedBy, HelpWords, Outcome
from shared.kit.web.context import ActorDep, CallerDep
from shared.kit.web.cursors import MAX_PAGE_ITEMS, ApiModel, Page, PageLimit, decode, encode
from shared.kit.web.fields import NonBlankStr
from shared.kit.web.messages import preferred_language
from shared.kit.web.routes import Routes

AcceptLanguage = Annotated[str, Header()]


class ContentNamed(ApiModel):
    """The content that a decision is about, at the version that was judged."""

    content_id: ContentId
    kind: ContentKind
    root_id: ContentId
    space_id: SpaceId
    structure_id: StructureId
    version: int


class Contest(ApiModel):
    """How to contest: send `text` to `path`, once, by `until`; then, the outcome.

    `answer` is the message of the person who decided. It is free of charge, and another person
    decides.
    """

    path: str
    until: datetime
    state: Literal["possible", "open", "decided"]
    outcome: Outcome | None
    answer: str | None
    received_at: datetime | None
    decided_at: datetime | None


class StatementShown(ApiModel):
    """The reasons of a restriction: the content, the reason in words, and how to contest it.

    `excerpt` is the beginning of the text as it was judged. `restricted_until` is null: the
    restriction has no end date; another decision or an accepted correction lifts it.
    """

    statement_id: StatementId
    content: ContentNamed
    written_at: datetime | None
    excerpt: str | None
    action: Action
    policy: str
    reason: str
    words: str
    decided_by: DecidedBy
    issued_at: datetime
    restricted_until: datetime | None
    contest: Contest


class NewAppeal(ApiModel):
    """Why the decision is wrong, in the words of the author."""

    text: NonBlankStr = Field(
        min_length=1,
        max_length=MAX_APPEAL_CHARACTERS,
        examples=["C’était une citation de Molière."],
    )


class AppealShown(ApiModel):
    """An appeal in the moderators' queue."""

    appeal_id: AppealId
    statement_id: StatementId
    decision_id: DecisionId
    content: ContentNamed
    state: Literal["open", "decided"]
    outcome: Outcome | None
    received_at: datetime
    decided_at: datetime | None


class VersionShown(ApiModel):
    """A version of the content's text, masked."""

    version: int
    text: str
    written_at: datetime


class AppealRead(AppealShown):
    """An appeal with its author's words, the reasons of the decision, and the texts, masked."""

    text: str
    action: Action
    policy: str
    reason: str
    decided_by: DecidedBy
    versions: list[VersionShown]


class NewOutcome(ApiModel):
    """The outcome: the decision is `upheld` or `overturned`; `answer` is sent to its author."""

    outcome: Outcome
    answer: NonBlankStr = Field(min_length=1, max_length=1000, examples=["Vous avez raison."])


def routes(deps: AppealsDeps, words: Mapping[str, HelpWords]) -> Routes:
    """Build the routes of this feature; `words` maps the key of a reason to its message."""
    feature = Routes("appeals")
    _add_author_routes(feature, deps, words)
    _add_moderator_routes(feature, deps)
    return feature


def _add_author_routes(feature: Routes, deps: AppealsDeps, words: Mapping[str, HelpWords]) -> None:
    @feature.get("/statements", action="statement.list", access="suspended_too")
    async def statements(
        caller: CallerDep,
        actor: ActorDep,
        limit: PageLimit = 20,
        cursor: str | None = None,
        accept_language: AcceptLanguage = "",
    ) -> Page[StatementShown]:
        before = StatementId(decode(cursor, UUID)[0]) if cursor else None
        reasons = await list_statements(deps, caller, actor, before, limit)
        last = reasons[-1].statement.statement_id if len(reasons) == limit else None
        return Page(
            items=[_to_statement(view, words, accept_language) for view in reasons],
            next=encode(last) if last else None,
        )

    @feature.get("/statements/{statement_id}", action="statement.read", access="suspended_too")
    async def statement(
        caller: CallerDep,
        actor: ActorDep,
        statement_id: StatementId,
        accept_language: AcceptLanguage = "",
    ) -> StatementShown:
        reasons = await read_statement(deps, caller, actor, statement_id)
        return _to_statement(reasons, words, accept_language)

    @feature.post(
        "/statements/{statement_id}/appeal",
        action="appeal.submit",
        access="suspended_too",
        status_code=201,
    )
    async def contest(
        caller: CallerDep, actor: ActorDep, statement_id: StatementId, new: NewAppeal
    ) -> AppealShown:
        return _to_appeal(await contest_statement(deps, caller, actor, statement_id, new.text))


def _add_moderator_routes(feature: Routes, deps: AppealsDeps) -> None:
    @feature.get("/appeals", action="appeal.list")
    async def appeals(
        caller: CallerDep,
        actor: ActorDep,
        limit: PageLimit = MAX_PAGE_ITEMS,
        cursor: str | None = None,
    ) -> Page[AppealShown]:
        after = _to_queue_key(cursor) if cursor else None
        listed, last = await list_appeals(deps, caller, actor, after, limit)
        items = [_to_appeal(appeal) for appeal in listed]
        return Page(items=items, next=encode(*last) if last else None)

    @feature.get("/appeals/{appeal_id}", action="appeal.read")
    async def read(caller: CallerDep, actor: ActorDep, appeal_id: AppealId) -> AppealRead:
        return _to_appeal_details(await read_appeal(deps, caller, actor, appeal_id))

    @feature.post("/appeals/{appeal_id}/decision", action="appeal.decide", status_code=201)
    async def decide(
        caller: CallerDep, actor: ActorDep, appeal_id: AppealId, new: NewOutcome
    ) -> AppealShown:
        command = DecideAppeal(appeal_id, new.outcome, new.answer)
        return _to_appeal(await decide_appeal(deps, caller, actor, command))


def _to_queue_key(cursor: str) -> AppealQueueKey:
    received_at, appeal_id = decode(cursor, datetime, UUID)
    return received_at, AppealId(appeal_id)


def _to_content(subject: Subject) -> ContentNamed:
    return ContentNamed(
        content_id=subject.content_id,
        kind=subject.kind,
        root_id=subject.root_id,
        space_id=subject.space_id,
        structure_id=subject.structure_id,
        version=subject.version,
    )


def _find_message(reason: str, policy: str, words: Mapping[str, HelpWords]) -> HelpWords | None:
    """Return the message for a reason that is a key ("insult.direct"); None for a sentence."""
    if " " in reason:
        return words.get(reason)
    return words.get(reason) or words.get(reason.partition(".")[0]) or words.get(policy)


def _to_statement(
    reasons: StatementView, words: Mapping[str, HelpWords], accept_language: str
) -> StatementShown:
    statement, appeal = reasons.statement, reasons.appeal
    message = _find_message(statement.reason, statement.policy, words)
    in_french = preferred_language(accept_language) == "fr"
    return StatementShown(
        statement_id=statement.statement_id,
        content=_to_content(statement.subject),
        written_at=reasons.written_at,
        excerpt=reasons.excerpt,
        action=statement.action,
        policy=statement.policy,
        reason=statement.reason,
        words=statement.reason if message is None else message.fr if in_french else message.en,
        decided_by=statement.decided_by,
        issued_at=statement.issued_at,
        restricted_until=None,
        contest=Contest(
            path=f"/moderation/v1/statements/{statement.statement_id}/appeal",
            until=reasons.contest_until,
            state=appeal.state if appeal else "possible",
            outcome=appeal.outcome if appeal else None,
            answer=appeal.answer if appeal else None,
            received_at=appeal.received_at if appeal else None,
            decided_at=appeal.decided_at if appeal else None,
        ),
    )


def _to_appeal(appeal: Appeal) -> AppealShown:
    return AppealShown(
        appeal_id=appeal.appeal_id,
        statement_id=appeal.statement_id,
        decision_id=appeal.decision_id,
        content=_to_content(appeal.subject),
        state=appeal.state,
        outcome=appeal.outcome,
        received_at=appeal.received_at,
        decided_at=appeal.decided_at,
    )


def _to_appeal_details(file: AppealFile) -> AppealRead:
    return AppealRead(
        **_to_appeal(file.appeal).model_dump(),
        text=file.words,
        action=file.statement.action,
        policy=file.statement.policy,
        reason=file.statement.reason,
        decided_by=file.statement.decided_by,
        versions=[
            VersionShown(version=text.version, text=text.text, written_at=text.written_at)
            for text in file.texts
        ],
    )
