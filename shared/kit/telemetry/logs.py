"""Logs: one JSON object a line, with the trace it belongs to. No bodies, tokens or addresses."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec
from opentelemetry import trace

_SECRETS = re.compile(
    r"(?P<token>eyJ[\w-]{8,}(?:\.[\w-]+){0,2})"
    r"|(?P<bearer>(?i:bearer)\s+\S+)"
    r"|(?P<url>(?<=://)[^/\s:@]+:[^/\s@]+(?=@))"
    r"|(?P<email>[\w.+-]+@[\w-]+\.[\w.-]+)"
)


def redact(text: str) -> str:
    """Replace tokens, passwords in URLs and e-mail addresses by what they are."""
    return _SECRETS.sub(lambda found: f"[{found.lastgroup}]", text)


class Logger(logging.LoggerAdapter[logging.Logger]):
    """A logger whose keyword arguments become fields."""

    def process(
        self, msg: object, kwargs: MutableMapping[str, Any]
    ) -> tuple[object, MutableMapping[str, Any]]:
        """Move the fields aside."""
        exc_info = kwargs.pop("exc_info", None)
        return msg, {"extra": {"fields": dict(kwargs)}, "exc_info": exc_info}


def logger(name: str) -> Logger:
    """Get the logger of a part of the frame or of a service: `logger("relay").info("…", n=3)`."""
    return Logger(logging.getLogger(f"preau.{name}"), {})


class JsonFormatter(logging.Formatter):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level, logger, event, trace ids and fields."""
        span = trace.get_current_span().get_span_context()
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": redact(record.getMessage()),
        }
        if span.is_valid:
            line |= {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
        line |= _fields(record)
        if record.exc_info:
            line["stack"] = redact(self.formatException(record.exc_info))
        return msgspec.json.encode(line).decode()


class TextFormatter(logging.Formatter):
    """One readable line, for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level, logger, event and fields."""
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        fields = " ".join(f"{name}={value}" for name, value in _fields(record).items())
        text = (
            f"{moment} {record.levelname:7} {record.name}: {redact(record.getMessage())} {fields}"
        )
        if record.exc_info:
            text += "\n" + redact(self.formatException(record.exc_info))
        return text.rstrip()


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    fields: Mapping[str, object] = getattr(record, "fields", {})
    return {
        name: value if isinstance(value, int | float | bool | None) else redact(str(value))
        for name, value in fields.items()
    }


def configure(level: str = "info", style: str = "", stream: TextIO | None = None) -> None:
    """Send every log to `stream` (standard error), as `json` or `text`; text on a terminal."""
    out = stream or sys.stderr
    chosen = style or ("text" if out.isatty() else "json")
    handler = logging.StreamHandler(out)
    handler.setFormatter(TextFormatter() if chosen == "text" else JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("aiokafka", "faststream", "httpx", "httpcore", "uvicorn.access", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
