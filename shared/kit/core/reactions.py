"""Reactions: effects and the types of events they are for, as a service's `events.py` lists them.

Where a reaction computes: a batch is one transaction, and while it is open nothing may be computed
that could be computed before. Reading a text, parsing, hashing, encoding of size: in `prepare`.
Asking the database, writing, recording facts: in `effect`. Pure.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from shared.contracts.event import Fact
from shared.kit.core.unit_of_work import (
    Delivery,
    Effect,
    PreparedDelivery,
    PreparedEffect,
    PrepareFunction,
    Unit,
)

D = TypeVar("D")
V = TypeVar("V")


@dataclass(frozen=True)
class Reaction(Generic[D]):
    """An effect and the facts it is for; reads as a sentence in a service's `events.py`.

    The effect receives its feature's dependencies, a unit, and all deliveries of these types in a
    batch, in log order. It may run twice and never opens or commits a unit.
    One that `decides` writes only what this service owns, and tells it in facts of its own: a
    replay leaves it out, because what was once decided is not decided again.
    """

    effect: Callable[[D, Unit, Sequence[Delivery[Any]]], Awaitable[None]]
    on: tuple[type[Fact], ...]
    skip_on_replay: bool = False

    @property
    def name(self) -> str:
        """The effect as words: `hide_posts_of_author`."""
        return self.effect.__name__

    def bind(self, dependencies: D) -> "BoundReaction":
        """Hand its dependencies to the effect."""

        async def bound(unit: Unit, deliveries: Sequence[Delivery[Fact]]) -> None:
            await self.effect(dependencies, unit, deliveries)

        return BoundReaction(self.name, bound, self.on, self.skip_on_replay)


@dataclass(frozen=True)
class PreparedReaction(Generic[D, V]):
    """A reaction that computes one value for each delivery before its effect; see `Reaction`.

    `prepare` is awaited before the batch's transaction opens, and gives the values in the order of
    the deliveries. It may run twice, and for a delivery that is never applied; it writes nothing.
    When it raises, that is a failure of the one event, as if its effect had raised.
    """

    prepare: Callable[[D, Sequence[Delivery[Any]]], Awaitable[Sequence[V]]]
    effect: Callable[[D, Unit, Sequence[PreparedDelivery[Any, V]]], Awaitable[None]]
    on: tuple[type[Fact], ...]
    skip_on_replay: bool = False

    @property
    def name(self) -> str:
        """The effect as words: `hide_posts_of_author`."""
        return self.effect.__name__

    def bind(self, dependencies: D) -> "BoundPreparedReaction":
        """Hand its dependencies to both stages."""

        async def prepare(deliveries: Sequence[Delivery[Fact]]) -> Sequence[V]:
            return await self.prepare(dependencies, deliveries)

        async def bound(unit: Unit, prepared: Sequence[PreparedDelivery[Fact, Any]]) -> None:
            await self.effect(dependencies, unit, prepared)

        return BoundPreparedReaction(self.name, prepare, bound, self.on, self.skip_on_replay)


@dataclass(frozen=True)
class BoundReaction:
    """A reaction that is ready to run."""

    name: str
    effect: Effect
    on: tuple[type[Fact], ...]
    skip_on_replay: bool = False


@dataclass(frozen=True)
class BoundPreparedReaction:
    """A prepared reaction that is ready to run."""

    name: str
    prepare: PrepareFunction
    effect: PreparedEffect
    on: tuple[type[Fact], ...]
    skip_on_replay: bool = False


AnyBoundReaction = BoundReaction | BoundPreparedReaction


@overload
def bind(dependencies: D, reactions: Sequence[Reaction[D]]) -> tuple[BoundReaction, ...]: ...
@overload
def bind(
    dependencies: D, reactions: Sequence[Reaction[D] | PreparedReaction[D, Any]]
) -> tuple[AnyBoundReaction, ...]: ...
def bind(
    dependencies: D, reactions: Sequence[Reaction[D] | PreparedReaction[D, Any]]
) -> tuple[AnyBoundReaction, ...]:
    """Hand one feature's dependencies to all its reactions."""
    return tuple(reaction.bind(dependencies) for reaction in reactions)
