"""Facts and audit entries that a unit of work has recorded and not yet written."""

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
"""Opens and closes the `create` span of a fact and returns its traceparent."""


@dataclass
class PendingWrites:
    """The events and audit entries of one unit; see `core.unit_of_work.UnitOfWork`."""

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
        """See `core.unit_of_work.UnitOfWork`."""
        cause = caused_by or self.caller
        if cause is None:
            message = f"{type(fact).__name__}: a reaction must say which delivery it follows from"
            raise TypeError(message)
        event_id = EventId(self.new_id())
        traceparent = self.trace(fact, event_id, cause.traceparent)
        happened_at = at or self.now
        version = fact
        # The newest version first: a reader that changes versions then receives the fact once,
        # whichever version it read before.
        while True:
            self.events.append(
                outbox.make_pending_event(
                    version, cause, event_id=event_id, at=happened_at, traceparent=traceparent
                )
            )
            if not version.DUAL_PUBLISH:
                break
            version = version.downcast()
        self._audit(fact, cause, event_id)
        return event_id

    def _audit(self, fact: Fact, cause: EventCause, event_id: EventId) -> None:
        # An import is one act of one person: the import is audited, not each of its rows.
        if isinstance(cause, Caller) and cause.member_id and cause.origin is Origin.LIVE:
            self.audit(cause, fact.wire_type(), value_at(fact, fact.SUBJECT), event=str(event_id))

    def audit(self, caller: Caller, action: str, subject: UUID, **details: str | int) -> None:
        """See `core.unit_of_work.UnitOfWork`."""
        if caller.member_id is not None:
            entry = chain.AuditEntry(caller.tenant, caller.member_id, action, subject, details)
            self.audit_entries.append(entry)
