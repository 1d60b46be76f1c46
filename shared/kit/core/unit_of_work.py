"""The unit of work as handlers and reactions see it: one transaction, and the facts it leaves.

Pure: no database is known here. `shared.kit.database.database` gives the body.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from msgspec import Struct

from shared.contracts.event import Fact, Origin
from shared.contracts.ids import EventId, MemberId, TenantId
from shared.kit.core.bus import Partition

F_co = TypeVar("F_co", bound=Fact, covariant=True)
V_co = TypeVar("V_co", covariant=True)

Clock = Callable[[], datetime]
"""Gives the present moment, in UTC."""

NewId = Callable[[], UUID]
"""Gives a new UUIDv7."""


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf something is done: a request, a command line, a job.

    `correlation` names the whole chain that begins here; `traceparent` is the W3C trace context.
    `held` is a transaction that is already open (`Database.open_unit`): units of this caller join
    it.
    """

    tenant: TenantId
    member_id: MemberId | None
    correlation: str
    origin: Origin = Origin.LIVE
    traceparent: str | None = None
    open_unit: object | None = field(default=None, repr=False, compare=False)


class Delivery(Struct, Generic[F_co], frozen=True, gc=False):
    """A fact as it reached this consumer group, with what its envelope says.

    A Struct, not a dataclass: one is made for each record. `time` is when it happened, `recorded`
    when it was written down, `received` when it came here.
    """

    fact: F_co
    event_id: EventId
    tenant: TenantId
    time: datetime
    recorded: datetime
    received: datetime
    origin: Origin
    correlation: str
    sequence: int
    key: str
    partition: Partition
    offset: int
    actor: str | None = None
    cause_id: EventId | None = None
    traceparent: str | None = None


EventCause = Caller | Delivery[Fact]
"""What a new fact follows from: its tenant, origin, correlation, cause and trace come from it."""


class Unit(Protocol):
    """One transaction. Whoever opened it commits; handlers and reactions only use it."""

    @property
    def now(self) -> datetime:
        """The moment this unit was opened, by the clock that was handed in."""

    def record(
        self, fact: Fact, *, caused_by: EventCause | None = None, at: datetime | None = None
    ) -> EventId:
        """Note a fact: it leaves through the outbox if, and only if, this transaction commits.

        `because` may be left out in a command (it is the caller then); a reaction names the
        delivery. `at` is when it happened, the present moment if left out.
        Facts of one key leave in the order they are recorded.
        """

    def audit(self, caller: Caller, action: str, subject: UUID, **details: str | int) -> None:
        """Note an audit row for an act of the caller that no fact tells, such as an import.

        Facts that a person causes here leave a row each without it. A caller without a member (the
        platform itself) leaves none.
        """


class Units(Protocol):
    """Opens units."""

    def __call__(self, caller: Caller) -> AbstractAsyncContextManager[Unit]:
        """Open a unit that sees the caller's tenant only; leaving it without an error commits."""


Effect = Callable[[Unit, Sequence[Delivery[Fact]]], Awaitable[None]]
"""What a reaction does, its dependencies already bound."""


class PreparedDelivery(Struct, Generic[F_co, V_co], frozen=True, gc=False):
    """A delivery, and what its reaction computed of it before the transaction opened."""

    delivery: Delivery[F_co]
    value: V_co


PrepareFunction = Callable[[Sequence[Delivery[Fact]]], Awaitable[Sequence[object]]]
"""What a prepared reaction computes: one value for each delivery, in their order."""
PreparedEffect = Callable[[Unit, Sequence[PreparedDelivery[Fact, Any]]], Awaitable[None]]
"""What a prepared reaction does with them."""
