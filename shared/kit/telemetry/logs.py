"""Structured logs (structlog): one JSON object a line, text on a terminal, with the trace ids.

Every line passes `redact_entry`, also those of libraries that use `logging`: no password, token,
e-mail address, request body or row value is written.
"""

import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO, cast

import msgspec
import structlog
from structlog.processors import format_exc_info
from structlog.stdlib import BoundLogger, ProcessorFormatter, filter_by_level
from structlog.typing import EventDict, WrappedLogger

from shared.kit.telemetry.context import CURRENT_SERVICE, CURRENT_TRACEPARENT, span_id, trace_id

_SECRETS = re.compile(
    r"(?P<token>\beyJ[\w-]{8,}(?:\.[\w-]*){0,4})"
    r"|(?P<credentials>\b(?i:bearer|basic)\s+[\w.~+/=-]{6,})"
    r"|(?P<password>(?<=://)[^/\s:@]*:[^/\s]+(?=@))"
    r"|(?P<email>[^\s@<>\"'(),:;=\[\]{}]+@[\w-]+(?:\.[\w-]+)+)"
    r"|(?P<header>(?<![\w-])(?i:(?:proxy-)?authorization|(?:set-)?cookie)[\"']?\s*[=:][^\n]*)"
    # The whole of `password=…` or `"api_key": "…"` is replaced, its name too.
    r"|(?P<secret>(?<![\w-])(?i:[\w-]*(?:passw(?:or)?d|passwd|secret|token|api[_-]?key"
    r"|credential))[\"']?\s*[=:]\s*[\"']?(?!\[)[^\s\"',;&}]+)"
    # SQLAlchemy and PostgreSQL quote the values of a rejected row in their messages.
    r"|(?P<values>\[parameters: [^\n]*|(?:DETAIL|CONTEXT): [^\n]*)"
)
_PRIVATE_FIELDS = re.compile(
    r"passw(or)?d|passwd|secret|token|api_?key|authorization|cookie|credential|e?mail|body|content"
    r"|^(display_)?name$|^text$|^address$",
    re.IGNORECASE,
)
_NOISY_LOGGERS = (
    *("aiokafka", "faststream", "httpx", "httpcore"),
    *("uvicorn.access", "alembic", "urllib3"),
)
_LEVEL_WIDTH = 8
_CLOCK_TIME = slice(11, 19)
_HEAD = frozenset({"time", "level", "service", "event", "logger", "trace_id", "span_id", "stack"})


def redact(text: str) -> str:
    """Replace tokens, passwords, e-mail addresses and quoted row values by their kind."""
    return _SECRETS.sub(lambda match: f"[{match.lastgroup}]", text)


def get_logger(name: str) -> BoundLogger:
    """Return the logger `preau.<name>`.

    The message names an event in few words; keyword arguments become fields:
    `get_logger("relay").info("sent", records=3)`.
    """
    wrapped = structlog.wrap_logger(
        logging.getLogger(f"preau.{name}"),
        processors=[filter_by_level, _to_record],
        wrapper_class=BoundLogger,
    )
    return cast("BoundLogger", wrapped.bind())


def configure_logging(level: str = "info", style: str = "", stream: TextIO | None = None) -> None:
    """Send every log to `stream` (standard error), as `json` or `text`.

    Without a style: text on a terminal, JSON elsewhere.
    """
    output = stream or sys.stderr
    chosen_style = style or ("text" if output.isatty() else "json")
    renderer = _render_text if chosen_style == "text" else _render_json
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        ProcessorFormatter(processors=[format_exc_info, _describe, redact_entry, renderer])
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


def _to_record(
    _logger: WrappedLogger, _method: str, entry: EventDict
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Hand an entry to `logging`; the fields are one attribute of the record.

    Trap: `extra=fields` would fail for a field named like an attribute of LogRecord ("name").
    """
    arguments = (entry.pop("event"), *entry.pop("positional_args", ()))
    return arguments, {"exc_info": entry.pop("exc_info", None), "extra": {"fields": entry}}


def _describe(_logger: WrappedLogger, level: str, entry: EventDict) -> EventDict:
    """Put time, level, service, event, logger, trace ids and stack before the fields.

    A field with one of these names becomes `field_<name>`.
    """
    record: logging.LogRecord = entry["_record"]
    fields: dict[str, object] = dict(getattr(record, "fields", {}))
    created = datetime.fromtimestamp(record.created, UTC)
    line: dict[str, object] = {"time": created.isoformat(timespec="milliseconds"), "level": level}
    service = fields.pop("service", None) or CURRENT_SERVICE.get()
    if service is not None:
        line["service"] = service
    line |= {"event": entry["event"], "logger": record.name}
    if (traceparent := CURRENT_TRACEPARENT.get()) is not None:
        line |= {"trace_id": trace_id(traceparent), "span_id": span_id(traceparent)}
    if "exception" in entry:
        line["stack"] = entry["exception"]
    return line | {_field_name(name, line): value for name, value in fields.items()}


def _field_name(name: str, line: Mapping[str, object]) -> str:
    return f"field_{name}" if name in line else name


def redact_entry(_logger: WrappedLogger, _method: str, entry: EventDict) -> EventDict:
    """Redact every value of an entry; hide a field whose name says that it is private."""
    return {name: _redact_value(name, value) for name, value in entry.items()}


def _redact_value(name: str, value: object) -> object:
    if value is None or isinstance(value, int | float):
        return value
    return "[private]" if _PRIVATE_FIELDS.search(name) else redact(str(value))


def _render_json(_logger: WrappedLogger, _method: str, entry: EventDict) -> str:
    return msgspec.json.encode(entry).decode()


def _render_text(_logger: WrappedLogger, _method: str, entry: EventDict) -> str:
    """Write time, level, service and logger, event, fields on one line, the stack below it."""
    name = str(entry["logger"]).removeprefix("preau.")
    parts = [
        str(entry["time"])[_CLOCK_TIME],
        str(entry["level"]).ljust(_LEVEL_WIDTH),
        f"{entry['service']}/{name}" if "service" in entry else name,
        _escape_line_breaks(str(entry["event"])),
    ]
    parts += [
        f"{field}={_escape_line_breaks(str(value))}"
        for field, value in entry.items()
        if field not in _HEAD
    ]
    if "stack" in entry:
        parts.append(f"\n{entry['stack']}")
    return " ".join(parts)


def _escape_line_breaks(text: str) -> str:
    """Keep text from a client on one line, so that it cannot forge a log line."""
    return text.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")
