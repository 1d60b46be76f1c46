"""What a unit of work notes while it lasts, and writes when it ends."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from shared.contracts.event import Fact, Origin, value_at
from shared.contracts.ids import EventId
from shared.kit.core.unit_of_work import Caller, EventCause, NewId
from shared.kit.database import outbox
from shared.kit.database.audit import chain

Trace = Callable[[Fact, EventId, str | None], str | None]
"""Opens and closes the `create` span of a fact and gives its traceparent."""


@dataclass
class PendingWrites:
    """Facts and audit rows; see `shared.kit.core.unit_of_work.Unit` for the promises."""

    service: str
    now: datetime
    new_id: NewId
    trace: Trace
    caller: Caller | None = None
    events: list[outbox.PendingEvent] = field(default_factory=list)
    audit_entries: list[chain.AuditEntry] = field(default_factory=list)

    def record(
        self, fact: Fact, *, caused_by: EventCause | None = None, at: datetime | None = None
    ) -> EventId:
        """Note a fact; it is written when the unit commits."""
        why = caused_by or self.caller
        if why is None:
            msg = f"{type(fact).__name__}: a reaction must say which delivery it follows from"
            raise TypeError(msg)
        event_id = EventId(self.new_id())
        trace = self.trace(fact, event_id, why.traceparent)
        when = at or self.now
        entry = outbox.make_pending_event(fact, why, event_id=event_id, at=when, traceparent=trace)
        self.events.append(entry)
        told = fact
        # The newest first: then a reader of either has it once, wherever the other one left off.
        while told.DUAL_PUBLISH:
            told = told.downcast()
            older = outbox.make_pending_event(
                told, why, event_id=event_id, at=when, traceparent=trace
            )
            self.events.append(older)
        self._audit(fact, why, event_id)
        return event_id

    def _audit(self, fact: Fact, why: EventCause, event_id: EventId) -> None:
        # An import is one person's one act, audited by the import itself, not line by line.
        if isinstance(why, Caller) and why.member_id and why.origin is Origin.LIVE:
            self.audit(why, fact.wire_type(), value_at(fact, fact.SUBJECT), event=str(event_id))

    def audit(self, caller: Caller, action: str, subject: UUID, **details: str | int) -> None:
        """Leave an audit row for something that a person did and no fact tells."""
        if caller.member_id is not None:
            change = chain.AuditEntry(caller.tenant, caller.member_id, action, subject, details)
            self.audit_entries.append(change)
