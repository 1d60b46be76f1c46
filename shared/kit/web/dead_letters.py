"""Routes for operators: list dead letters, show one, group them by cause, replay or skip them."""

import contextlib
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from fastapi import Query
from pydantic import Field

from shared.kit.inbox.consumer import BatchConsumer
from shared.kit.inbox.dead_letters import queries
from shared.kit.inbox.dead_letters.decisions import (
    DeadLetterDecision,
    DeadLetterNotFound,
    decide_dead_letters,
)
from shared.kit.inbox.dead_letters.queries import BlockedEvent, CauseSummary
from shared.kit.inbox.parked import LogPosition
from shared.kit.telemetry.context import trace_id, valid_traceparent
from shared.kit.web import cursors
from shared.kit.web.context import CallerDep, OperatorDep
from shared.kit.web.cursors import ApiModel, Page, PageLimit
from shared.kit.web.routes import Routes

FindConsumer = Callable[[], BatchConsumer | None]
NonEmptyText = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]
CauseText = Annotated[
    str | None,
    Query(min_length=1, max_length=500, pattern=r"^[^\x00]*$", description="a part of the cause"),
]
_POSITION_PATTERN = r"^[A-Za-z0-9._-]{1,249}/[0-9]{1,9}/[0-9]{1,18}$"
PositionText = Annotated[
    str, Field(pattern=_POSITION_PATTERN, description="topic/partition/offset")
]
PositionQuery = Annotated[
    str, Query(pattern=_POSITION_PATTERN, description="topic/partition/offset")
]


class DeadLetter(ApiModel):
    """An event that was not applied: its position in the log, its cause and the decision on it.

    `state` is `dead`; `parked` while it is retried or waits behind an earlier event of its key;
    `skipped` when an operator left it out permanently. `pattern` is the cause without ids and
    values.
    """

    place: str
    key: str | None
    event_id: UUID | None
    type: str | None
    state: str
    attempts: int
    next_try: datetime | None
    first_failed: datetime
    cause: str | None
    pattern: str | None
    trace_id: str | None
    decision: str | None
    reason: str | None
    decided_by: UUID | None
    decided_at: datetime | None
    topic: str
    partition: int
    offset: int


class DeadLetterDetail(DeadLetter):
    """A dead letter with its stack, its record, and the first 100 events that wait behind it.

    `event` is the record when it is JSON; `record` is its text when it is not. `waiting` counts
    all events behind it.
    """

    stack: str | None
    event: dict[str, object] | None
    record: str | None
    waiting: int
    behind: list[BlockedEvent]


class CauseList(ApiModel):
    """The causes of dead letters, the most frequent first."""

    items: list[CauseSummary]


class DecisionRequest(ApiModel):
    """`replay`: retry the dead letters and all events behind them. `skip`: leave them out.

    Exactly one of `places`, `cause` (a part of the cause) and `everything` (all dead letters of
    the group) selects them. `skip` is permanent and needs a `reason`. `dry_run` changes nothing.
    """

    decision: Literal["replay", "skip"]
    places: list[PositionText] = Field(default=[], max_length=1000)
    cause: NonEmptyText | None = None
    everything: bool = False
    reason: NonEmptyText | None = None
    dry_run: bool = False


class DecisionSummary(ApiModel):
    """The number of dead letters decided on (in a dry run: selected), and of unreadable ones."""

    letters: int
    unreadable: int
    causes: list[CauseSummary]


def dead_letter_routes(routes: Routes, find: FindConsumer) -> None:
    """Add the routes for the dead letters of the consumer that `find` returns once it runs."""
    _add_list_route(routes, find)
    _add_causes_route(routes, find)
    _add_detail_route(routes, find)
    _add_decision_route(routes, find)


def _add_list_route(routes: Routes, find: FindConsumer) -> None:
    @routes.get("/operating/dead-letters", action="operate.dead_letters", access="operator")
    async def dead_letters(
        _: OperatorDep,
        *,
        everything: bool = False,
        cause: CauseText = None,
        cursor: str | None = None,
        limit: PageLimit = cursors.MAX_PAGE_ITEMS,
    ) -> Page[DeadLetter]:
        after = _decode_cursor(cursor) if cursor else None
        consumer = find()
        if consumer is None:
            return Page(items=[])
        async with consumer.database.unit_for(()) as unit:
            rows = await queries.list_dead_letters(
                unit.connection,
                consumer.group,
                all_states=everything,
                cause=cause,
                after=after,
                limit=limit + 1,
            )
        page, next_cursor = rows[:limit], None
        if len(rows) > limit:
            last = page[-1]
            next_cursor = cursors.encode(last.first_failed, last.topic, last.partition, last.offset)
        return Page(items=[DeadLetter(**_to_fields(row)) for row in page], next=next_cursor)


def _add_causes_route(routes: Routes, find: FindConsumer) -> None:
    @routes.get("/operating/dead-letters/causes", action="operate.dead_letters", access="operator")
    async def causes(
        _: OperatorDep, *, everything: bool = False, cause: CauseText = None
    ) -> CauseList:
        consumer = find()
        if consumer is None:
            return CauseList(items=[])
        async with consumer.database.unit_for(()) as unit:
            summaries = await queries.summarise_causes(
                unit.connection, consumer.group, all_states=everything, cause=cause
            )
        return CauseList(items=list(summaries))


def _add_detail_route(routes: Routes, find: FindConsumer) -> None:
    @routes.get("/operating/dead-letter", action="operate.dead_letter", access="operator")
    async def dead_letter(_: OperatorDep, place: PositionQuery) -> DeadLetterDetail:
        consumer = find()
        if consumer is None:
            raise DeadLetterNotFound(place=place)
        async with consumer.database.unit_for(()) as unit:
            detail = await queries.get_dead_letter(
                unit.connection, consumer.group, LogPosition.parse(place)
            )
        if detail is None:
            raise DeadLetterNotFound(place=place)
        return _to_detail(detail)


def _add_decision_route(routes: Routes, find: FindConsumer) -> None:
    @routes.post("/operating/dead-letters", action="operate.decide", access="operator")
    async def decide_on(
        _: OperatorDep, caller: CallerDep, wish: DecisionRequest
    ) -> DecisionSummary:
        decision = DeadLetterDecision(
            wish.decision,
            tuple(map(LogPosition.parse, wish.places)),
            wish.cause,
            wish.everything,
            wish.reason,
            wish.dry_run,
        )
        decision.check()
        consumer = find()
        if consumer is None and wish.places:
            raise DeadLetterNotFound(place=wish.places[0])
        if consumer is None:
            return DecisionSummary(letters=0, unreadable=0, causes=[])
        async with consumer.database.unit(caller) as unit:
            result = await decide_dead_letters(
                unit, consumer.group, caller, decision, consumer.decoders
            )
        return DecisionSummary(
            letters=sum(summary.letters for summary in result.causes) - result.unreadable,
            unreadable=result.unreadable,
            causes=list(result.causes),
        )


def _decode_cursor(cursor: str) -> tuple[datetime, LogPosition]:
    first_failed, topic, partition, offset = cursors.decode(
        cursor, datetime, str, int, cursors.BigInt
    )
    return first_failed, LogPosition(topic, partition, offset)


def _to_fields(letter: queries.DeadLetter) -> dict[str, Any]:
    fields = asdict(letter)
    traceparent = valid_traceparent(fields.pop("traceparent"))
    trace = trace_id(traceparent) if traceparent else None
    return fields | {"place": str(letter.position), "trace_id": trace}


def _to_detail(detail: queries.DeadLetterDetail) -> DeadLetterDetail:
    event = None
    with contextlib.suppress(msgspec.DecodeError, RecursionError):
        event = msgspec.json.decode(detail.record or b"", type=dict[str, object])
    record = detail.record.decode("utf-8", "replace") if detail.record is not None else None
    return DeadLetterDetail(
        **_to_fields(detail.letter),
        stack=detail.stack,
        event=event,
        record=None if event is not None else record,
        waiting=detail.waiting,
        behind=list(detail.behind),
    )
