"""Units of work as handlers and reactions use them: rows and facts that are committed together.

Pure. `shared.kit.database.database` and `shared.kit.database.batched` implement them.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, Protocol, TypeVar
from uuid import UUID

from msgspec import Struct

from shared.contracts.event import Fact, Origin
from shared.contracts.ids import EventId, MemberId, TenantId
from shared.kit.core.bus import Partition

F_co = TypeVar("F_co", bound=Fact, covariant=True)
V_co = TypeVar("V_co", covariant=True)

Clock = Callable[[], datetime]
"""Returns the present time, in UTC."""

NewId = Callable[[], UUID]
"""Returns a new UUIDv7."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The origin of a command: a request, a command line or a job.

    `correlation` identifies the chain of events that begins here; `traceparent` is the W3C trace
    context. `open_unit` is an open transaction (`Database.open_unit`): units of this caller join
    it.
    """

    tenant: TenantId
    member_id: MemberId | None
    correlation: str
    origin: Origin = Origin.LIVE
    traceparent: str | None = None
    open_unit: object | None = field(default=None, repr=False, compare=False)


class Delivery(Struct, Generic[F_co], frozen=True, gc=False):
    """An event delivered to a consumer group: the fact and the fields of its envelope.

    A Struct, not a dataclass: one is created for each record. `time` is when the event happened,
    `recorded` when its publisher wrote it to the outbox, `received` when this consumer decoded it.
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
"""The cause of a new event, which takes its tenant, origin, correlation and trace from it."""


class UnitOfWork(Protocol):
    """Rows and facts that are committed together when the block is left without an error.

    `Unit` and `BatchedUnit` are the two kinds; a function that only records takes either.
    """

    @property
    def now(self) -> datetime:
        """The time at which this unit was opened."""

    def record(
        self, fact: Fact, *, caused_by: EventCause | None = None, at: datetime | None = None
    ) -> EventId:
        """Record a fact; its event is published if, and only if, this unit commits.

        `caused_by` may be omitted in a command (the caller is the cause then); a reaction passes
        the delivery. `at` is when the fact happened, by default `now`. Events of one key are
        published in the order in which they are recorded.
        """

    def audit(self, caller: Caller, action: str, subject: UUID, **details: str | int) -> None:
        """Record an audit row for an act of the caller that has no fact, such as an import.

        Each fact that a member causes in a command gets an audit row without this call. A caller
        without a member (the platform itself) gets none.
        """


class Unit(UnitOfWork, Protocol):
    """One database transaction: its reads see its own writes, and its locks last until it ends."""

    @property
    def is_transaction(self) -> Literal[True]:
        """Whether the unit is a transaction; narrows `Unit | BatchedUnit` to one kind."""


class BatchedUnit(UnitOfWork, Protocol):
    """A unit without its own transaction (group commit): it can only `load` and `add`.

    There is no isolation between its reads and its writes, and its reads do not see the rows that
    it adds. A store method that locks, lists or updates takes a `Unit`, so the type checker refuses
    a batched one.
    """

    @property
    def is_transaction(self) -> Literal[False]:
        """Whether the unit is a transaction; narrows `Unit | BatchedUnit` to one kind."""


class Units(Protocol):
    """Opens transactions."""

    def __call__(self, caller: Caller) -> AbstractAsyncContextManager[Unit]:
        """Open a unit that sees the caller's tenant only; it commits when left without an error."""


class BatchedUnits(Protocol):
    """Opens batched units."""

    def __call__(self, caller: Caller) -> AbstractAsyncContextManager[Unit | BatchedUnit]:
        """Open a batched unit that sees the caller's tenant only, or join `caller.open_unit`.

        An open unit may be a transaction, hence the union.
        """


Effect = Callable[[Unit, Sequence[Delivery[Fact]]], Awaitable[None]]
"""The effect of a reaction with its dependencies bound."""


class PreparedDelivery(Struct, Generic[F_co, V_co], frozen=True, gc=False):
    """A delivery and the value that its reaction computed before the transaction opened."""

    delivery: Delivery[F_co]
    value: V_co


PrepareFunction = Callable[[Sequence[Delivery[Fact]]], Awaitable[Sequence[object]]]
"""The `prepare` of a prepared reaction: one value for each delivery, in their order."""
PreparedEffect = Callable[[Unit, Sequence[PreparedDelivery[Fact, Any]]], Awaitable[None]]
"""The effect of a prepared reaction with its dependencies bound."""
