"""Logs: one JSON object a line, with the trace it belongs to. No bodies, tokens or addresses."""

import logging
import re
import sys
from datetime import UTC, datetime
from typing import TextIO

import msgspec

from shared.kit.telemetry.context import CURRENT_SERVICE, CURRENT_TRACEPARENT, span_id, trace_id

_SECRETS = re.compile(
    r"(?P<token>\beyJ[\w-]{8,}(?:\.[\w-]*){0,4})"
    r"|(?P<credentials>\b(?i:bearer|basic)\s+[\w.~+/=-]{6,})"
    r"|(?P<password>(?<=://)[^/\s:@]*:[^/\s]+(?=@))"
    r"|(?P<email>[^\s@<>\"'(),:;=\[\]{}]+@[\w-]+(?:\.[\w-]+)+)"
    r"|(?P<header>(?<![\w-])(?i:(?:proxy-)?authorization|(?:set-)?cookie)[\"']?\s*[=:][^\n]*)"
    # `password=…`, `"api_key": "…"`: the name stays, so that one knows what was there.
    r"|(?P<secret>(?<![\w-])(?i:[\w-]*(?:passw(?:or)?d|passwd|secret|token|api[_-]?key"
    r"|credential))[\"']?\s*[=:]\s*[\"']?(?!\[)[^\s\"',;&}]+)"
    # What SQLAlchemy and PostgreSQL quote of the rows that they refuse.
    r"|(?P<values>\[parameters: [^\n]*|(?:DETAIL|CONTEXT): [^\n]*)"
)
_PRIVATE = re.compile(
    r"passw(or)?d|passwd|secret|token|api_?key|authorization|cookie|credential|e?mail|body|content"
    r"|^(display_)?name$|^text$|^address$",
    re.IGNORECASE,
)
_NOISY = ("aiokafka", "faststream", "httpx", "httpcore", "uvicorn.access", "alembic", "urllib3")
_LEVEL_WIDTH = 8


def redact(text: str) -> str:
    """Replace tokens, passwords, e-mail addresses and quoted row values by what they are."""
    return _SECRETS.sub(lambda found: f"[{found.lastgroup}]", text)


class Logger:
    """A logger whose keyword arguments become fields; the message names an event, in few words."""

    def __init__(self, name: str) -> None:
        self._log = logging.getLogger(name)

    def debug(self, event: str, /, **fields: object) -> None:
        """Tell a developer."""
        self._write(logging.DEBUG, event, None, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """Return what is as it should be."""
        self._write(logging.INFO, event, None, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """Return what the frame copes with."""
        self._write(logging.WARNING, event, None, fields)

    def error(
        self, event: str, /, *, exc_info: BaseException | None = None, **fields: object
    ) -> None:
        """Return what somebody should look at."""
        self._write(logging.ERROR, event, exc_info, fields)

    def exception(self, event: str, /, **fields: object) -> None:
        """Tell of the exception that is being handled, with its stack."""
        self._write(logging.ERROR, event, sys.exception(), fields)

    def _write(
        self, level: int, event: str, error: BaseException | None, fields: dict[str, object]
    ) -> None:
        if self._log.isEnabledFor(level):
            self._log.log(level, event, exc_info=error, extra={"fields": fields}, stacklevel=3)


def get_logger(name: str) -> Logger:
    """Get the logger of a part of the frame or of a service: `logger("relay").info("…", n=3)`."""
    return Logger(f"preau.{name}")


class JsonFormatter(logging.Formatter):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level, service, event, logger, trace ids, then the fields."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
        }
        fields = _fields(record)
        service = fields.pop("service", None) or CURRENT_SERVICE.get()
        if service is not None:
            line["service"] = service
        line |= {"event": redact(record.getMessage()), "logger": record.name}
        if (trace := CURRENT_TRACEPARENT.get()) is not None:
            line |= {"trace_id": trace_id(trace), "span_id": span_id(trace)}
        if record.exc_info:
            line["stack"] = redact(self.formatException(record.exc_info))
        # What the line itself says cannot be overwritten by a field.
        return msgspec.json.encode(line | _beside(fields, line)).decode()


class TextFormatter(logging.Formatter):
    """One readable line, for a terminal; a stack stands below it."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level, service and logger, event, fields."""
        fields = _fields(record)
        service = fields.pop("service", None) or CURRENT_SERVICE.get()
        name = record.name.removeprefix("preau.")
        parts = [
            datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S"),
            record.levelname.lower().ljust(_LEVEL_WIDTH),
            f"{service}/{name}" if service else name,
            _one_line(redact(record.getMessage())),
            *(f"{field}={_one_line(str(value))}" for field, value in fields.items()),
        ]
        if record.exc_info:
            parts.append("\n" + redact(self.formatException(record.exc_info)))
        return " ".join(parts)


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {name: _safe(name, value) for name, value in getattr(record, "fields", {}).items()}


def _safe(name: str, value: object) -> object:
    if value is None or isinstance(value, int | float):
        return value
    return "[private]" if _PRIVATE.search(name) else redact(str(value))


def _beside(fields: dict[str, object], line: dict[str, object]) -> dict[str, object]:
    return {f"field_{name}" if name in line else name: fields[name] for name in fields}


def _one_line(text: str) -> str:
    """Keep a stranger's text from beginning a line of its own."""
    return text.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")


def configure_logging(level: str = "info", style: str = "", stream: TextIO | None = None) -> None:
    """Send every log to `stream` (standard error), as `json` or `text`.

    Without a style: text on a terminal, JSON elsewhere.
    """
    out = stream or sys.stderr
    chosen = style or ("text" if out.isatty() else "json")
    handler = logging.StreamHandler(out)
    handler.setFormatter(TextFormatter() if chosen == "text" else JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
