"""A telemetry that tells nothing: for tools, and tests of other things.

It still refuses a metric that is not in the list, so that the tests of other things find it.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Self

from shared.kit.core.host import Span
from shared.kit.telemetry.metric_catalogue import Kind, get_metric, label_name


class NoSpan(AbstractContextManager["NoSpan", None]):
    """A span that is not there."""

    traceparent: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def set(self, **attributes: str | float | bool) -> None:
        """Forget them."""


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
        """Open nothing."""
        return _NO_SPAN

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Forget it. Raises KeyError for what is not listed."""
        _check(name, "counter", labels)

    def observe(self, name: str, *values: float, **labels: str) -> None:
        """Forget it. Raises KeyError for what is not listed."""
        _check(name, "histogram", labels)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Forget it. Raises KeyError for what is not listed."""
        _check(name, "gauge", labels)

    def current(self) -> str | None:
        """Know of no span."""
        return None


def _check(name: str, kind: Kind, labels: Mapping[str, str]) -> None:
    get_metric(name, kind, map(label_name, labels))
