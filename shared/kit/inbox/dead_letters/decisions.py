"""Operators' decisions on dead letters: replay them, or skip them permanently.

A replay parks the event again in this group; nothing is published, so other groups are not
affected. The event itself never changes: the operator repairs the code or the data that it failed
on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa

from shared.kit.core.errors import Conflict, Invalid, NotFound
from shared.kit.core.unit_of_work import Caller
from shared.kit.database.database import SqlUnit
from shared.kit.inbox.dead_letters.queries import (
    AT_POSITIONS,
    GROUP_AND_CAUSE,
    CauseSummary,
    position_columns,
    summarise_causes,
)
from shared.kit.inbox.dead_letters.redecode import decode_again
from shared.kit.inbox.decode import EventDecoders
from shared.kit.inbox.due_keys import make_first_due
from shared.kit.inbox.parked import NO_SUBJECT, LogPosition

_LOCK_DEAD = """
    SELECT topic, partition, "offset", key, event_id FROM parked
    WHERE {which} AND state = 'dead' ORDER BY topic, partition, "offset" FOR UPDATE
"""
_APPLY_DECISION = """
    UPDATE parked SET state = :state, attempts = 0, tries = 0, counted = NULL, decision = :decision,
                      next_try = CASE WHEN :state = 'parked' THEN CAST(:now AS timestamptz) END,
                      reason = :reason, decided_by = :decided_by, decided_at = :now
    WHERE {which} AND state = 'dead' AND (:state = 'skipped' OR key IS NOT NULL)
"""


class DeadLetterNotFound(NotFound):
    """No dead-lettered record is at this position."""

    key = "dead_letter_not_found"


class StillUnreadable(Conflict):
    """The record cannot be replayed: the present version cannot decode it either."""

    key = "still_unreadable"


class ReasonMissing(Invalid):
    """Skipping an event permanently requires a reason."""

    key = "reason_missing"


@dataclass(frozen=True, slots=True)
class DeadLetterDecision:
    """Replay or skip the dead letters at these positions, with this text in the cause, or all."""

    decision: Literal["replay", "skip"]
    positions: tuple[LogPosition, ...] = ()
    cause: str | None = None
    everything: bool = False
    reason: str | None = None
    dry_run: bool = False

    def check(self) -> None:
        """Raise `Invalid` unless one selection is given, `ReasonMissing` without a reason."""
        selections = bool(self.positions) + (self.cause is not None) + self.everything
        if selections != 1 or self.cause == "":
            raise Invalid(field="places", reason="name places, or a cause, or everything")
        if self.decision == "skip" and not self.dry_run and not (self.reason or "").strip():
            raise ReasonMissing


@dataclass(frozen=True, slots=True)
class DecisionResult:
    """The selected dead letters by cause, and how many of them cannot be decoded."""

    causes: Sequence[CauseSummary]
    unreadable: int = 0


async def decide_dead_letters(
    unit: SqlUnit,
    group: str,
    caller: Caller,
    request: DeadLetterDecision,
    decoders: EventDecoders,
) -> DecisionResult:
    """Replay or skip dead letters; with `dry_run` only return what would change.

    Safe while the group consumes. Every given position must contain a dead letter, otherwise
    nothing changes and `DeadLetterNotFound` names it. Unreadable records are decoded again with
    `decoders`. The audit row contains the member, the time and the reason.
    """
    request.check()
    condition = GROUP_AND_CAUSE + (AT_POSITIONS if request.positions else "")
    values: dict[str, object] = {"consumer_group": group, "cause": request.cause}
    values |= position_columns(request.positions) if request.positions else {}
    rows = await _lock_dead(unit, request, condition, values)
    causes = await summarise_causes(
        unit.connection, group, cause=request.cause, positions=request.positions or None
    )
    unreadable = 0
    if request.decision == "replay":
        without_key = [
            LogPosition(row.topic, row.partition, row.offset) for row in rows if row.key is None
        ]
        named, dry_run = bool(request.positions), request.dry_run
        unreadable = await decode_again(
            unit, group, decoders, without_key, named=named, dry_run=dry_run
        )
    if request.positions and unreadable:
        raise StillUnreadable
    if rows and not request.dry_run:
        await _apply_decision(unit, caller, request, condition, values)
        keys = {row.key for row in rows if row.key is not None}
        await make_first_due(unit, group, keys)
        event_id = rows[0].event_id if len(rows) == 1 else None
        _audit(unit, group, caller, request, event_id or NO_SUBJECT, len(rows) - unreadable)
    return DecisionResult(causes, unreadable)


async def _lock_dead(
    unit: SqlUnit, request: DeadLetterDecision, condition: str, values: dict[str, object]
) -> Sequence[sa.Row[Any]]:
    """Lock the selected dead letters. Raises `DeadLetterNotFound` for a position without one."""
    result = await unit.connection.execute(sa.text(_LOCK_DEAD.format(which=condition)), values)
    rows = result.all()
    existing = {LogPosition(row.topic, row.partition, row.offset) for row in rows}
    for position in request.positions:
        if position not in existing:
            raise DeadLetterNotFound(place=str(position))
    return rows


async def _apply_decision(
    unit: SqlUnit,
    caller: Caller,
    request: DeadLetterDecision,
    condition: str,
    values: dict[str, object],
) -> None:
    decision_columns = {
        "state": "parked" if request.decision == "replay" else "skipped",
        "decision": request.decision,
        "reason": request.reason,
        "decided_by": caller.member_id,
        "now": unit.now,
    }
    statement = sa.text(_APPLY_DECISION.format(which=condition))
    await unit.connection.execute(statement, values | decision_columns)


def _audit(
    unit: SqlUnit,
    group: str,
    caller: Caller,
    request: DeadLetterDecision,
    subject: UUID,
    number: int,
) -> None:
    positions = ", ".join(map(str, request.positions))
    selection = request.cause or ("everything" if request.everything else positions)
    unit.audit(
        caller,
        f"dead_letters.{request.decision}",
        subject,
        group=group,
        letters=number,
        which=selection[:1000],
        reason=request.reason or "",
    )
