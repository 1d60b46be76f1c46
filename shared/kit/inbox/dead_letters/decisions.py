"""What an operator decides of dead letters: try them again, or leave them out for good.

A replay re-enters the group's own parked key, never the topic: other groups see nothing of it. The
event itself is a fact and stays as it is; what is mended is the code or the data that it met.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import sqlalchemy as sa

from shared.kit.core.errors import Conflict, Invalid, NotFound
from shared.kit.core.unit_of_work import Caller
from shared.kit.database.database import SqlUnit
from shared.kit.inbox.dead_letters import queries as letters
from shared.kit.inbox.dead_letters.queries import (
    AT_POSITIONS,
    GROUP_AND_CAUSE,
    CauseSummary,
    position_columns,
)
from shared.kit.inbox.dead_letters.redecode import decode_again
from shared.kit.inbox.decode import EventDecoders
from shared.kit.inbox.due_keys import make_first_due
from shared.kit.inbox.parked import NO_SUBJECT, LogPosition

_LOCK = """
    SELECT topic, partition, "offset", key, event_id FROM parked
    WHERE {which} AND state = 'dead' ORDER BY topic, partition, "offset" FOR UPDATE
"""
_DECIDE = """
    UPDATE parked SET state = :state, attempts = 0, tries = 0, counted = NULL, decision = :decision,
                      next_try = CASE WHEN :state = 'parked' THEN CAST(:now AS timestamptz) END,
                      reason = :reason, decided_by = :decided_by, decided_at = :now
    WHERE {which} AND state = 'dead' AND (:state = 'skipped' OR key IS NOT NULL)
"""


class DeadLetterNotFound(NotFound):
    """No dead letter stands at this place."""

    key = "dead_letter_not_found"


class StillUnreadable(Conflict):
    """It cannot be replayed: this version cannot read it either."""

    key = "still_unreadable"


class ReasonMissing(Invalid):
    """Whoever leaves an event out for good says why."""

    key = "reason_missing"


@dataclass(frozen=True, slots=True)
class DeadLetterDecision:
    """Which letters (these places, or this text in their cause, or all of the group), and what."""

    decision: Literal["replay", "skip"]
    positions: tuple[LogPosition, ...] = ()
    cause: str | None = None
    everything: bool = False
    reason: str | None = None
    dry_run: bool = False

    def check(self) -> None:
        """Raise `Invalid` unless exactly one way to choose is used, and `ReasonMissing`."""
        if (
            bool(self.positions) + (self.cause is not None) + self.everything != 1
            or self.cause == ""
        ):
            raise Invalid(field="places", reason="name places, or a cause, or everything")
        if self.decision == "skip" and not self.dry_run and not (self.reason or "").strip():
            raise ReasonMissing


@dataclass(frozen=True, slots=True)
class DecisionResult:
    """What was, or would be, decided on, by cause; and how many cannot be replayed."""

    causes: Sequence[CauseSummary]
    unreadable: int = 0


async def decide_dead_letters(
    unit: SqlUnit,
    group: str,
    caller: Caller,
    wish: DeadLetterDecision,
    wanted: EventDecoders,
) -> DecisionResult:
    """Replay or skip; with `dry_run` only say what would be done. Safe while the group reads.

    Every place must hold a dead letter, or nothing is done: `DeadLetterNotFound` names it. What
    could not be read is read again: `wanted` are the group's types. The audit keeps who, when, why.
    """
    wish.check()
    which = GROUP_AND_CAUSE + (AT_POSITIONS if wish.positions else "")
    values: dict[str, object] = {"consumer_group": group, "cause": wish.cause}
    values |= position_columns(wish.positions) if wish.positions else {}
    rows = (await unit.connection.execute(sa.text(_LOCK.format(which=which)), values)).all()
    found = {LogPosition(row.topic, row.partition, row.offset): row.event_id for row in rows}
    for place in wish.positions:
        if place not in found:
            raise DeadLetterNotFound(place=str(place))
    chosen = await letters.summarise_causes(
        unit.connection, group, cause=wish.cause, places=wish.positions or None
    )
    unreadable = 0
    if wish.decision == "replay":
        keyless = [
            LogPosition(row.topic, row.partition, row.offset) for row in rows if row.key is None
        ]
        unreadable = await decode_again(
            unit, group, wanted, keyless, named=bool(wish.positions), dry_run=wish.dry_run
        )
    if wish.positions and unreadable:
        raise StillUnreadable
    if rows and not wish.dry_run:
        await _decide(unit, caller, wish, which, values)
        keys = {row.key for row in rows if row.key is not None}
        await make_first_due(unit, group, keys)
        subject = next(iter(found.values())) if len(rows) == 1 else None
        _audit(unit, group, caller, wish, subject or NO_SUBJECT, len(rows) - unreadable)
    return DecisionResult(chosen, unreadable)


async def _decide(
    unit: SqlUnit, caller: Caller, wish: DeadLetterDecision, which: str, values: dict[str, object]
) -> None:
    decided = {
        "state": "parked" if wish.decision == "replay" else "skipped",
        "decision": wish.decision,
        "reason": wish.reason,
        "decided_by": caller.member_id,
        "now": unit.now,
    }
    await unit.connection.execute(sa.text(_DECIDE.format(which=which)), values | decided)


def _audit(
    unit: SqlUnit, group: str, caller: Caller, wish: DeadLetterDecision, subject: UUID, number: int
) -> None:
    which = wish.cause or ("everything" if wish.everything else ", ".join(map(str, wish.positions)))
    unit.audit(
        caller,
        f"dead_letters.{wish.decision}",
        subject,
        group=group,
        letters=number,
        which=which[:1000],
        reason=wish.reason or "",
    )
