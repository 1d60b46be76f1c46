"""Dead letters for operators: by cause, page by page, one whole, and what becomes of them."""

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
from shared.kit.inbox.dead_letters import queries as letters
from shared.kit.inbox.dead_letters.decisions import (
    DeadLetterDecision,
    DeadLetterNotFound,
    decide_dead_letters,
)
from shared.kit.inbox.parked import LogPosition
from shared.kit.telemetry.context import trace_id, valid_traceparent
from shared.kit.web import cursors
from shared.kit.web.context import CallerDep, OperatorDep
from shared.kit.web.cursors import ApiModel, Page, PageLimit
from shared.kit.web.routes import Routes

FindConsumer = Callable[[], BatchConsumer | None]
Text = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]
CauseText = Annotated[
    str | None,
    Query(min_length=1, max_length=500, pattern=r"^[^\x00]*$", description="a part of the cause"),
]
_PLACE = r"^[A-Za-z0-9._-]{1,249}/[0-9]{1,9}/[0-9]{1,18}$"
At = Annotated[str, Field(pattern=_PLACE, description="topic/partition/offset")]
AtQuery = Annotated[str, Query(pattern=_PLACE, description="topic/partition/offset")]


class Letter(ApiModel):
    """An event that was not applied: where it stands, what it is, why, what was decided of it.

    `state` is `dead`; `parked` while it is tried again, or waits behind one of its key; `skipped`
    when it was left out for good. `pattern` is the cause without its ids and values.
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


class Behind(ApiModel):
    """An event that waits for another of its key."""

    place: str
    type: str | None
    event_id: UUID | None


class Whole(Letter):
    """A letter with its stack, its record, and what waits behind it (the first 100 of `waiting`).

    `event` is the record when it is JSON; `record` is its text when it is not.
    """

    stack: str | None
    event: dict[str, object] | None
    record: str | None
    waiting: int
    behind: list[Behind]


class Cause(ApiModel):
    """Letters that failed alike; `keys` and `waiting` count the keys and events held up by them."""

    cause: str
    type: str | None
    state: str
    letters: int
    keys: int
    waiting: int
    oldest: datetime
    newest: datetime
    example: str


class Causes(ApiModel):
    """The most frequent first."""

    items: list[Cause]


class Wish(ApiModel):
    """`replay`: try again, with its whole key behind it. `skip`: leave out for good, for a reason.

    Of these `places`, or of all whose `cause` holds this text, or of `everything` that is dead in
    this group: one of the three. `dry_run` only says what would be done.
    """

    decision: Literal["replay", "skip"]
    places: list[At] = Field(default=[], max_length=1000)
    cause: Text | None = None
    everything: bool = False
    reason: Text | None = None
    dry_run: bool = False


class Decided(ApiModel):
    """What was decided on (would be, in a dry run), and what cannot be replayed as it is."""

    letters: int
    unreadable: int
    causes: list[Cause]


def dead_letter_routes(routes: Routes, find: FindConsumer) -> None:
    """Add what is read and what is decided of the consumer that `find` gives once it is there."""
    _pages(routes, find)
    _by_cause(routes, find)
    _one_and_decisions(routes, find)


def _pages(routes: Routes, find: FindConsumer) -> None:
    @routes.get("/operating/dead-letters", action="operate.dead_letters", access="operator")
    async def dead_letters(
        _: OperatorDep,
        *,
        everything: bool = False,
        cause: CauseText = None,
        cursor: str | None = None,
        limit: PageLimit = cursors.MAX_PAGE_ITEMS,
    ) -> Page[Letter]:
        after = _position(cursor) if cursor else None
        consumer = find()
        if consumer is None:
            return Page(items=[])
        async with consumer.database.unit_for(()) as unit:
            found = await letters.list_dead_letters(
                unit.connection,
                consumer.group,
                everything=everything,
                cause=cause,
                after=after,
                limit=limit + 1,
            )
        shown, more = found[:limit], None
        if len(found) > limit:
            end = shown[-1]
            more = cursors.encode(end.first_failed, end.topic, end.partition, end.offset)
        return Page(items=[Letter(**_said(letter)) for letter in shown], next=more)


def _by_cause(routes: Routes, find: FindConsumer) -> None:
    @routes.get("/operating/dead-letters/causes", action="operate.dead_letters", access="operator")
    async def causes(
        _: OperatorDep, *, everything: bool = False, cause: CauseText = None
    ) -> Causes:
        consumer = find()
        if consumer is None:
            return Causes(items=[])
        async with consumer.database.unit_for(()) as unit:
            found = await letters.summarise_causes(
                unit.connection, consumer.group, everything=everything, cause=cause
            )
        return Causes(items=[Cause(**asdict(each)) for each in found])


def _one_and_decisions(routes: Routes, find: FindConsumer) -> None:
    @routes.get("/operating/dead-letter", action="operate.dead_letter", access="operator")
    async def dead_letter(_: OperatorDep, place: AtQuery) -> Whole:
        consumer = find()
        if consumer is None:
            raise DeadLetterNotFound(place=place)
        async with consumer.database.unit_for(()) as unit:
            found = await letters.get_dead_letter(
                unit.connection, consumer.group, LogPosition.parse(place)
            )
        if found is None:
            raise DeadLetterNotFound(place=place)
        return _whole(found)

    @routes.post("/operating/dead-letters", action="operate.decide", access="operator")
    async def decide_on(_: OperatorDep, caller: CallerDep, wish: Wish) -> Decided:
        asked = DeadLetterDecision(
            wish.decision,
            tuple(map(LogPosition.parse, wish.places)),
            wish.cause,
            wish.everything,
            wish.reason,
            wish.dry_run,
        )
        asked.check()
        consumer = find()
        if consumer is None and wish.places:
            raise DeadLetterNotFound(place=wish.places[0])
        if consumer is None:
            return Decided(letters=0, unreadable=0, causes=[])
        async with consumer.database.unit(caller) as unit:
            done = await decide_dead_letters(unit, consumer.group, caller, asked, consumer.decoders)
        return Decided(
            letters=sum(each.letters for each in done.causes) - done.unreadable,
            unreadable=done.unreadable,
            causes=[Cause(**asdict(each)) for each in done.causes],
        )


def _position(cursor: str) -> tuple[datetime, LogPosition]:
    first_failed, topic, partition, offset = cursors.decode(
        cursor, datetime, str, int, cursors.BigInt
    )
    return first_failed, LogPosition(topic, partition, offset)


def _said(letter: letters.DeadLetter) -> dict[str, Any]:
    said = asdict(letter)
    trace = valid_traceparent(said.pop("traceparent"))
    return said | {"place": str(letter.position), "trace_id": trace_id(trace) if trace else None}


def _whole(found: letters.DeadLetterDetail) -> Whole:
    event = None
    with contextlib.suppress(msgspec.DecodeError, RecursionError):
        event = msgspec.json.decode(found.record or b"", type=dict[str, object])
    record = found.record.decode("utf-8", "replace") if found.record is not None else None
    return Whole(
        **_said(found.letter),
        stack=found.stack,
        event=event,
        record=None if event is not None else record,
        waiting=found.waiting,
        behind=[Behind(**asdict(each)) for each in found.behind],
    )
