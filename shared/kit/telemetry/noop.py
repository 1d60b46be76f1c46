"""A telemetry that tells nothing: for tools, and tests of other things."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from shared.kit.host import Span


class NoSpan:
    """A span that is not there."""

    traceparent: str | None = None

    def set(self, **attributes: str | float | bool) -> None:
        """Forget them."""


class NoTelemetry:
    """See `shared.kit.host.Telemetry`."""

    @contextmanager
    def span(
        self,
        name: str,
        kind: str,
        *,
        parent: str | None = None,
        links: tuple[str, ...] = (),
        attributes: Mapping[str, str | float | bool] | None = None,
    ) -> Iterator[Span]:
        """Open nothing."""
        yield NoSpan()

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Forget it."""

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Forget it."""

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Forget it."""

    def current(self) -> str | None:
        """Know of no span."""
        return None
