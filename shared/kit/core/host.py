"""The dependencies that a service receives: bus, clock, ids, telemetry and its environment.

Protocols only: importing the real telemetry here would break the purity of the handlers.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from shared.kit.core.bus import Bus
from shared.kit.core.unit_of_work import Clock, NewId


class Span(Protocol):
    """An open span."""

    @property
    def traceparent(self) -> str | None:
        """The W3C `traceparent` of this span; None when there is no trace at all."""

    def set(self, **attributes: str | float | bool) -> None:
        """Add attributes; `__` in a name becomes a dot."""


class Telemetry(Protocol):
    """Traces and metrics of the kit. No method raises or blocks; a no-op body is allowed."""

    def span(
        self,
        name: str,
        kind: str,
        *,
        parent: str | None = None,
        links: tuple[str, ...] = (),
        attributes: Mapping[str, str | float | bool] | None = None,
    ) -> AbstractContextManager[Span]:
        """Open a span.

        `kind` is `server`, `client`, `producer`, `consumer` or `internal`. `parent` and `links` are
        traceparents; without `parent` the span continues the current one of this task, or begins
        a trace. An exception that leaves the block is recorded with its `error.type`.
        """

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter of the closed list in `shared.kit.telemetry.metric_catalogue`."""

    def observe(self, name: str, *values: float, **labels: str) -> None:
        """Add values, in the unit of the list, to a histogram of the closed list."""

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge of the closed list."""

    def current(self) -> str | None:
        """The traceparent of the open span of this task, if any."""


@dataclass(frozen=True)
class Host:
    """Passed to `main.build`: everything that a service uses from outside its process."""

    bus: Bus
    clock: Clock
    new_id: NewId
    telemetry: Telemetry
    environment: Mapping[str, str]
