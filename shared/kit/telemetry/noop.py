"""Telemetry that records nothing, for tools and tests.

It still raises KeyError for a metric that is not in the catalogue, so that tests detect it.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Self

from shared.kit.core.host import Span
from shared.kit.telemetry.metric_catalogue import Kind, get_metric, label_name


class NoSpan(AbstractContextManager["NoSpan", None]):
    """A span that records nothing and has no trace."""

    traceparent: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def set(self, **attributes: str | float | bool) -> None:
        """Discard the attributes."""


_NO_SPAN = NoSpan()


class NoTelemetry:
    """See `shared.kit.core.host.Telemetry`."""

    def span(
        self,
        name: str,
        kind: str,
        *,
        parent: str | None = None,
        links: tuple[str, ...] = (),
        attributes: Mapping[str, str | float | bool] | None = None,
    ) -> AbstractContextManager[Span]:
        """Return a span that records nothing."""
        return _NO_SPAN

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Discard the value. Raises KeyError for an unknown metric or label."""
        _check_metric(name, "counter", labels)

    def observe(self, name: str, *values: float, **labels: str) -> None:
        """Discard the value. Raises KeyError for an unknown metric or label."""
        _check_metric(name, "histogram", labels)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Discard the value. Raises KeyError for an unknown metric or label."""
        _check_metric(name, "gauge", labels)

    def current(self) -> str | None:
        """Return None: there is never a current span."""
        return None


def _check_metric(name: str, kind: Kind, labels: Mapping[str, str]) -> None:
    get_metric(name, kind, map(label_name, labels))
