"""Reactions: effects and the event types that trigger them, listed in a service's `events.py`.

A batch is one transaction, and while it is open nothing may be computed that could be computed
before. Parsing, hashing and encoding of size belong in `prepare`; queries, writes and recording
events belong in `effect`. Pure.
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
    """An effect and the event types that trigger it; reads as a sentence in `events.py`.

    The effect receives its feature's dependencies, a unit, and all deliveries of these types in a
    batch, in log order. It may run twice and never opens or commits a unit.

    `skip_on_replay`: the reaction takes decisions and publishes them as events. A replay must not
    take them again, so it leaves the reaction out.
    """

    effect: Callable[[D, Unit, Sequence[Delivery[Any]]], Awaitable[None]]
    on: tuple[type[Fact], ...]
    skip_on_replay: bool = False

    @property
    def name(self) -> str:
        """The name of the effect's function: `hide_posts_of_author`."""
        return self.effect.__name__

    def bind(self, dependencies: D) -> "BoundReaction":
        """Return the reaction with its dependencies bound."""

        async def bound_effect(unit: Unit, deliveries: Sequence[Delivery[Fact]]) -> None:
            await self.effect(dependencies, unit, deliveries)

        return BoundReaction(self.name, bound_effect, self.on, self.skip_on_replay)


@dataclass(frozen=True)
class PreparedReaction(Generic[D, V]):
    """A reaction that computes one value for each delivery before its effect; see `Reaction`.

    `prepare` is awaited before the batch's transaction opens, and returns the values in the order
    of the deliveries. It may run twice, and for a delivery that is never applied; it writes
    nothing. When it raises for one event, only that event fails, as if its effect had raised.
    """

    prepare: Callable[[D, Sequence[Delivery[Any]]], Awaitable[Sequence[V]]]
    effect: Callable[[D, Unit, Sequence[PreparedDelivery[Any, V]]], Awaitable[None]]
    on: tuple[type[Fact], ...]
    skip_on_replay: bool = False

    @property
    def name(self) -> str:
        """The name of the effect's function: `hide_posts_of_author`."""
        return self.effect.__name__

    def bind(self, dependencies: D) -> "BoundPreparedReaction":
        """Return the reaction with the dependencies of both stages bound."""

        async def bound_prepare(deliveries: Sequence[Delivery[Fact]]) -> Sequence[V]:
            return await self.prepare(dependencies, deliveries)

        async def bound_effect(unit: Unit, prepared: Sequence[PreparedDelivery[Fact, Any]]) -> None:
            await self.effect(dependencies, unit, prepared)

        return BoundPreparedReaction(
            self.name, bound_prepare, bound_effect, self.on, self.skip_on_replay
        )


@dataclass(frozen=True)
class BoundReaction:
    """A reaction with its dependencies bound."""

    name: str
    effect: Effect
    on: tuple[type[Fact], ...]
    skip_on_replay: bool = False


@dataclass(frozen=True)
class BoundPreparedReaction:
    """A prepared reaction with its dependencies bound."""

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
    """Bind a feature's dependencies to its reactions."""
    return tuple(reaction.bind(dependencies) for reaction in reactions)
