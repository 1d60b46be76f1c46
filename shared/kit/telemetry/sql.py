"""Record the duration of each SQL statement, and its span if the trace is recorded.

Active only for instrumented engines; a statement that bypasses SQLAlchemy is recorded with
`measure_statement`. Statements have bound parameters, so their text contains no values.
"""

import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from weakref import WeakKeyDictionary

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext, ExecutionContext
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.kit.core.host import Span, Telemetry
from shared.kit.telemetry.context import is_sampled

_VERB = re.compile(r"\s*(?:/\*.*?\*/|--[^\n]*\n|\s)*([A-Za-z]+)", re.DOTALL)
_TABLE = re.compile(
    r"\b(?:INTO|FROM|UPDATE|JOIN)\s+(?:ONLY\s+)?([a-z_][\w.]*+)(?!\s*\()", re.IGNORECASE
)
_SYSTEM = "postgresql"
OpenStatement = tuple[float, str, AbstractContextManager[Span] | None]


def instrument_engine(engine: AsyncEngine | Engine, telemetry: Telemetry) -> None:
    """Measure every statement of this engine from now on."""
    listener = _Statements(telemetry)
    target = engine.sync_engine if isinstance(engine, AsyncEngine) else engine
    _LISTENERS[target] = listener
    event.listen(target, "before_cursor_execute", listener.before)
    event.listen(target, "after_cursor_execute", listener.after)
    event.listen(target, "handle_error", listener.failed)


@contextmanager
def measure_statement(engine: Engine, statement: str) -> Iterator[None]:
    """Measure a statement that the block runs on this engine's connection without SQLAlchemy."""
    listener = _LISTENERS.get(engine)
    if listener is None:
        yield
        return
    open_statement = listener.begin(statement)
    try:
        yield
    except BaseException as error:
        listener.end(open_statement, error)
        raise
    listener.end(open_statement, None)


def shared_statement_span(engine: Engine, statement: str) -> AbstractContextManager[Span | None]:
    """Return a span, in the current request's trace, for a statement shared by many requests."""
    listener = _LISTENERS.get(engine)
    span = listener.span(statement) if listener is not None else None
    return span or nullcontext()


@lru_cache(maxsize=1024)
def summarize_statement(statement: str) -> tuple[str, str]:
    """Return a statement's verb, and its verb with the first table: `INSERT`, `INSERT outbox`."""
    verb = _VERB.match(statement)
    operation = verb.group(1).upper() if verb else "OTHER"
    table = _TABLE.search(statement)
    return operation, f"{operation} {table.group(1)}" if table else operation


class _Statements:
    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def before(
        self,
        _connection: Connection,
        _cursor: object,
        statement: str,
        _parameters: object,
        context: ExecutionContext,
        _many: bool,
    ) -> None:
        open_statement = self.begin(statement)
        context._preau_statement = open_statement  # type: ignore[attr-defined]  # noqa: SLF001  lives as long as it

    def begin(self, statement: str) -> OpenStatement:
        """Start the timer and open the span of a recorded trace."""
        operation, _ = summarize_statement(statement)
        span = self.span(statement)
        if span is not None:
            span.__enter__()
        return time.perf_counter(), operation, span

    def span(self, statement: str) -> AbstractContextManager[Span] | None:
        """Create the span of a statement; None if the trace is not recorded."""
        if not is_sampled(self._telemetry.current()):
            return None
        operation, text = summarize_statement(statement)
        attributes = {
            "db.system.name": _SYSTEM,
            "db.operation.name": operation,
            "db.query.summary": text,
            "db.query.text": statement,
        }
        return self._telemetry.span(text, "client", attributes=attributes)

    def after(self, *event_arguments: object) -> None:
        self._end(event_arguments[4], None)

    def failed(self, failure: ExceptionContext) -> None:
        self._end(failure.execution_context, failure.original_exception)

    def _end(self, context: object, error: BaseException | None) -> None:
        open_statement: OpenStatement | None = getattr(context, "_preau_statement", None)
        if open_statement is None:
            return
        context._preau_statement = None  # type: ignore[attr-defined]  # noqa: SLF001
        self.end(open_statement, error)

    def end(self, statement: OpenStatement, error: BaseException | None) -> None:
        """Report the duration and close the span."""
        start, operation, span = statement
        labels = {"db__system__name": _SYSTEM, "db__operation__name": operation}
        if error is not None:
            labels["error__type"] = _error_type(error)
        seconds = time.perf_counter() - start
        self._telemetry.observe("db.client.operation.duration", seconds, **labels)
        if span is not None:
            span.__exit__(type(error) if error else None, error, None)


_LISTENERS: WeakKeyDictionary[Engine, _Statements] = WeakKeyDictionary()


def _error_type(error: BaseException) -> str:
    """Return the SQLSTATE of an error, else its type."""
    return str(getattr(error, "sqlstate", None) or type(error).__qualname__)
