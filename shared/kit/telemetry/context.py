"""The trace that a task is in, as the text that travels: a W3C `traceparent`. Pure and fast.

`00-<trace id, 32 hex digits>-<span id, 16>-<flags, 2>`; the last flag bit says "recorded".
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, runtime_checkable

CURRENT_TRACEPARENT: ContextVar[str | None] = ContextVar("preau_traceparent", default=None)
"""The traceparent of the span that is open in this task, recorded or not."""

CURRENT_SERVICE: ContextVar[str | None] = ContextVar("preau_service", default=None)
"""The service on whose behalf this task runs, when several share a process."""

_FLAGS = 54
_RECORDED = frozenset("13579bdf")
_FORM = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[ -~]*)?"
)
_LENGTH = 55


@runtime_checkable
class RenamableSpan(Protocol):
    """A span whose name is known late: the route of a request, after routing."""

    def rename(self, name: str) -> None:
        """Return it its name."""


def is_sampled(traceparent: str | None) -> bool:
    """Return whether this trace is recorded. Looks at one character; `clean` checks the rest."""
    return (
        traceparent is not None and len(traceparent) >= _LENGTH and traceparent[_FLAGS] in _RECORDED
    )


def valid_traceparent(traceparent: str | None) -> str | None:
    """Return a well-formed traceparent as it may travel on, in 55 characters; None for the rest.

    It comes from strangers: what is not of this form must reach no header, row or log line.
    """
    if traceparent is None or _FORM.fullmatch(traceparent) is None:
        return None
    if len(traceparent) > _LENGTH and traceparent.startswith("00"):
        return None
    return traceparent if len(traceparent) == _LENGTH else f"00{traceparent[2:_LENGTH]}"


def trace_id(traceparent: str) -> str:
    """Return the trace id of a well-formed traceparent."""
    return traceparent[3:35]


def span_id(traceparent: str) -> str:
    """Return the span id of a well-formed traceparent."""
    return traceparent[36:52]


@contextmanager
def service_context(service: str) -> Iterator[None]:
    """Let the log lines of this task, and of the tasks it starts, carry the service's name."""
    before = CURRENT_SERVICE.get()
    CURRENT_SERVICE.set(service)
    try:
        yield
    finally:
        CURRENT_SERVICE.set(before)
