"""The trace context of a task as a W3C `traceparent`, without OpenTelemetry.

`00-<trace id, 32 hex digits>-<span id, 16>-<flags, 2>`; the last flag bit means "recorded".
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, runtime_checkable

CURRENT_TRACEPARENT: ContextVar[str | None] = ContextVar("preau_traceparent", default=None)
"""The traceparent of the current span of this task, recorded or not."""

CURRENT_SERVICE: ContextVar[str | None] = ContextVar("preau_service", default=None)
"""The service that this task works for; several services may share a process."""

_FLAGS_DIGIT = 54
_RECORDED_DIGITS = frozenset("13579bdf")
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[ -~]*)?"
)
_TRACEPARENT_CHARACTERS = 55


@runtime_checkable
class RenamableSpan(Protocol):
    """A span that is renamed after its start: a request's route is known after routing."""

    def rename(self, name: str) -> None:
        """Set the final name of the span."""


def is_sampled(traceparent: str | None) -> bool:
    """Return whether the trace is recorded. Trusts its form; see `valid_traceparent`."""
    return (
        traceparent is not None
        and len(traceparent) >= _TRACEPARENT_CHARACTERS
        and traceparent[_FLAGS_DIGIT] in _RECORDED_DIGITS
    )


def valid_traceparent(traceparent: str | None) -> str | None:
    """Return a traceparent in 55 characters if it is well-formed, else None.

    Clients send it: a malformed value must not reach a header, a row or a log line.
    """
    if traceparent is None or _TRACEPARENT.fullmatch(traceparent) is None:
        return None
    if len(traceparent) > _TRACEPARENT_CHARACTERS and traceparent.startswith("00"):
        return None
    return (
        traceparent
        if len(traceparent) == _TRACEPARENT_CHARACTERS
        else f"00{traceparent[2:_TRACEPARENT_CHARACTERS]}"
    )


def trace_id(traceparent: str) -> str:
    """Return the trace id of a well-formed traceparent."""
    return traceparent[3:35]


def span_id(traceparent: str) -> str:
    """Return the span id of a well-formed traceparent."""
    return traceparent[36:52]


@contextmanager
def service_context(service: str) -> Iterator[None]:
    """Add the service's name to the log lines of this task and of tasks it starts."""
    outer_service = CURRENT_SERVICE.get()
    CURRENT_SERVICE.set(service)
    try:
        yield
    finally:
        CURRENT_SERVICE.set(outer_service)
