"""Open spans: one that the SDK records, and one that only propagates its trace context."""

import random
from typing import Self

from opentelemetry import trace
from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import Status, StatusCode, set_span_in_context

from shared.kit.telemetry.context import CURRENT_TRACEPARENT

_EMPTY_CONTEXT = Context()
_ERROR = Status(StatusCode.ERROR)


class UnrecordedSpan:
    """A span of a trace that is not recorded: no span id, no attributes, about 1 µs.

    While open it is the current span, so that logs and events still contain the trace id.
    """

    __slots__ = ("_outer_context", "_outer_traceparent", "traceparent")

    def __init__(self, parent: str | None) -> None:
        self.traceparent: str | None = parent or _new_traceparent()

    def __enter__(self) -> Self:
        self._outer_traceparent, self._outer_context = CURRENT_TRACEPARENT.get(), get_current()
        CURRENT_TRACEPARENT.set(self.traceparent)
        attach(_EMPTY_CONTEXT)
        return self

    def __exit__(self, *_: object) -> None:
        # Not ContextVar.reset: a generator may be closed in another context than it started in.
        CURRENT_TRACEPARENT.set(self._outer_traceparent)
        attach(self._outer_context)

    def set(self, **attributes: str | float | bool) -> None:
        """Discard the attributes."""


class RecordedSpan:
    """A recorded span; while open it is the current span, also in the SDK's context."""

    __slots__ = ("_outer_context", "_outer_traceparent", "_span", "traceparent")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent: str | None = (
            f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
        )

    def __enter__(self) -> Self:
        self._outer_traceparent, self._outer_context = CURRENT_TRACEPARENT.get(), get_current()
        CURRENT_TRACEPARENT.set(self.traceparent)
        attach(set_span_in_context(self._span, self._outer_context))
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        CURRENT_TRACEPARENT.set(self._outer_traceparent)
        attach(self._outer_context)
        if error is not None:
            # The type only: an error message may contain a member's text.
            self._span.set_attribute("error.type", type(error).__qualname__)
            self._span.set_status(_ERROR)
        self._span.end()

    def set(self, **attributes: str | float | bool) -> None:
        """Add attributes; `__` means a dot. `error.type` marks the span as failed."""
        for name, value in attributes.items():
            self._span.set_attribute(name.replace("__", "."), value)
        if "error__type" in attributes:
            self._span.set_status(_ERROR)

    def rename(self, name: str) -> None:
        """Set the final name of the span."""
        self._span.update_name(name)


def _new_traceparent() -> str:
    trace_id = random.getrandbits(128) or 1
    span_id = random.getrandbits(64) or 1
    return f"00-{trace_id:032x}-{span_id:016x}-00"
