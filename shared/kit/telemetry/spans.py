"""The two kinds of open span: one that the SDK records, and one that only carries its trace on."""

import random
from typing import Self

from opentelemetry import trace
from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import Status, StatusCode, set_span_in_context

from shared.kit.telemetry.context import CURRENT_TRACEPARENT

_NOWHERE = Context()
_ERROR = Status(StatusCode.ERROR)


class UnrecordedSpan:
    """A span of a trace that is not recorded: no ids of its own, no attributes, about 1 µs.

    It is the current one while it is open, so that logs and the facts written meanwhile still
    name the trace.
    """

    __slots__ = ("_before", "_otel_before", "traceparent")

    def __init__(self, above: str | None) -> None:
        self.traceparent: str | None = above or _new_traceparent()

    def __enter__(self) -> Self:
        self._before, self._otel_before = CURRENT_TRACEPARENT.get(), get_current()
        CURRENT_TRACEPARENT.set(self.traceparent)
        attach(_NOWHERE)
        return self

    def __exit__(self, *_: object) -> None:
        # Set back rather than reset: a generator may be closed in another context than its own.
        CURRENT_TRACEPARENT.set(self._before)
        attach(self._otel_before)

    def set(self, **attributes: str | float | bool) -> None:
        """Forget them."""


class RecordedSpan:
    """A span of the SDK, the current one (of the SDK's context too) while it is open."""

    __slots__ = ("_before", "_otel_before", "_span", "traceparent")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        found = span.get_span_context()
        self.traceparent: str | None = (
            f"00-{found.trace_id:032x}-{found.span_id:016x}-{int(found.trace_flags):02x}"
        )

    def __enter__(self) -> Self:
        self._before, self._otel_before = CURRENT_TRACEPARENT.get(), get_current()
        CURRENT_TRACEPARENT.set(self.traceparent)
        attach(set_span_in_context(self._span, self._otel_before))
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        CURRENT_TRACEPARENT.set(self._before)
        attach(self._otel_before)
        if error is not None:
            # The type only: the message of an error may hold what somebody wrote.
            self._span.set_attribute("error.type", type(error).__qualname__)
            self._span.set_status(_ERROR)
        self._span.end()

    def set(self, **attributes: str | float | bool) -> None:
        """Add attributes; `__` stands for a dot. `error.type` makes it a failed span."""
        for name, value in attributes.items():
            self._span.set_attribute(name.replace("__", "."), value)
        if "error__type" in attributes:
            self._span.set_status(_ERROR)

    def rename(self, name: str) -> None:
        """Return it the name that was not known when it began."""
        self._span.update_name(name)


def _new_traceparent() -> str:
    trace_id = random.getrandbits(128) or 1
    span_id = random.getrandbits(64) or 1
    return f"00-{trace_id:032x}-{span_id:016x}-00"
