"""What a unit of work notes while it lasts, and writes when it ends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.contracts.event import Fact, Origin, value_at
from shared.contracts.ids import EventId
from shared.kit import audit, outbox
from shared.kit.sets import Insertion
from shared.kit.unit import Because, Caller, NewId

Trace = Callable[[Fact, EventId, str | None], str | None]
"""Opens and closes the `create` span of a fact and gives its traceparent."""


@dataclass
class Noted:
    """Facts, audit rows and rows to add; see `shared.kit.unit.Unit` for the promises."""

    service: str
    now: datetime
    new_id: NewId
    trace: Trace
    caller: Caller | None = None
    entries: list[outbox.Entry] = field(default_factory=list)
    changes: list[audit.Change] = field(default_factory=list)
    rows: dict[Insertion, list[Mapping[str, Any]]] = field(default_factory=dict)

    def record(
        self, fact: Fact, *, because: Because | None = None, at: datetime | None = None
    ) -> EventId:
        """Note a fact; it is written when the unit commits."""
        why = because or self.caller
        if why is None:
            msg = f"{type(fact).__name__}: a reaction must say which delivery it follows from"
            raise TypeError(msg)
        event_id = EventId(self.new_id())
        trace = self.trace(fact, event_id, why.traceparent)
        when = at or self.now
        entry = outbox.entry_of(fact, why, event_id=event_id, at=when, traceparent=trace)
        self.entries.append(entry)
        self._audit(fact, why, event_id)
        return event_id

    def _audit(self, fact: Fact, why: Because, event_id: EventId) -> None:
        # An import is one person's one act, audited by the import itself, not line by line.
        if isinstance(why, Caller) and why.member_id and why.origin is Origin.LIVE:
            self.audit(why, fact.wire_type(), value_at(fact, fact.SUBJECT), event=str(event_id))

    def audit(self, caller: Caller, action: str, subject: UUID, **details: str | int) -> None:
        """Leave an audit row for something that a person did and no fact tells."""
        if caller.member_id is not None:
            change = audit.Change(caller.tenant, caller.member_id, action, subject, details)
            self.changes.append(change)

    def add(self, insertion: Insertion, row: Mapping[str, Any]) -> None:
        """Note a row; it is added when the unit commits, before its facts.

        Raises ValueError for another tenant's than the caller's: written together with others,
        it would be seen by the tables' policy as theirs.
        """
        if self.caller is not None and row["tenant_id"] != self.caller.tenant:
            raise ValueError(f"a row of tenant {row['tenant_id']} for {self.caller.tenant}")
        self.rows.setdefault(insertion, []).append(row)
