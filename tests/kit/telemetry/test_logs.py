"""Log lines: their keys, their trace ids and the redaction of secrets."""

import io
import json
import logging
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from shared.kit.telemetry.context import service_context
from shared.kit.telemetry.logs import configure_logging, get_logger, redact
from tests.support.recorded_spans import SAMPLED, record_telemetry

SECRET = "pl4nté-dans-le-texte"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ6b8OpIn0.c2lnbmF0dXJl"


@pytest.fixture
def output() -> io.StringIO:
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    return stream


def read_lines(output: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def fail(message: str) -> None:
    raise RuntimeError(message)


def test_line_has_time_service_event_trace_and_fields(output: io.StringIO) -> None:
    log = get_logger("relay")
    recorder = record_telemetry()

    with (
        service_context("community"),
        recorder.telemetry.span("a", "internal", parent=SAMPLED) as span,
    ):
        log.info("sent", topic="community.post", records=3, late=False, élan="🌿")
    log.warning("no trace", service="metrics")

    first, second = read_lines(output)
    assert first.pop("time").startswith("20")
    assert span.traceparent is not None
    assert first == {
        "level": "info",
        "service": "community",
        "event": "sent",
        "logger": "preau.relay",
        "trace_id": SAMPLED[3:35],
        "span_id": span.traceparent[36:52],
        "topic": "community.post",
        "records": 3,
        "late": False,
        "élan": "🌿",
    }
    assert second["service"] == "metrics"
    assert "trace_id" not in second


def test_line_names_an_unrecorded_trace(output: io.StringIO) -> None:
    recorder = record_telemetry(sample_ratio=0)

    with recorder.telemetry.span("a", "internal") as span:
        get_logger("x").info("sent")

    assert span.traceparent is not None
    assert read_lines(output)[0]["trace_id"] == span.traceparent[3:35]


def test_field_does_not_overwrite_a_key_of_the_line(output: io.StringIO) -> None:
    get_logger("x").info("sent", level="fatal", logger="other", time=0)

    (line,) = read_lines(output)
    assert (line["level"], line["logger"], line["event"]) == ("info", "preau.x", "sent")
    assert (line["field_level"], line["field_logger"], line["field_time"]) == ("fatal", "other", 0)


def test_library_line_has_the_keys_and_trace_of_ours(output: io.StringIO) -> None:
    recorder = record_telemetry()

    with service_context("community"), recorder.telemetry.span("a", "internal", parent=SAMPLED):
        logging.getLogger("aiokafka.conn").warning("%s bytes from %s", 3, "zoé@exemple.fr")

    (line,) = read_lines(output)
    assert (line["logger"], line["service"]) == ("aiokafka.conn", "community")
    assert (line["event"], line["trace_id"]) == ("3 bytes from [email]", SAMPLED[3:35])


def test_exception_line_has_the_redacted_stack(output: io.StringIO) -> None:
    try:
        fail(f"password={SECRET}")
    except RuntimeError:
        get_logger("x").exception("failed")

    (line,) = read_lines(output)
    assert (line["level"], line["event"]) == ("error", "failed")
    assert line["stack"].endswith("RuntimeError: [secret]")


def test_message_below_the_level_is_not_written(output: io.StringIO) -> None:
    get_logger("x").debug("sent")

    assert read_lines(output) == []


@pytest.mark.parametrize(
    "planted",
    [
        f"Authorization: Bearer {SECRET}",
        f"got bearer {SECRET}",
        f"Basic {SECRET}",
        f"postgresql://app:{SECRET}@base/préau",
        f"redis://:{SECRET}@cache:6379/0",
        f"{SECRET}@exemple.fr a écrit",
        f"mailto:<{SECRET}@sous.exemple.fr>",
        f"password={SECRET}",
        f'{{"client_secret": "{SECRET}"}}',
        f"Cookie: a=b; préau={SECRET}; c=d",
        f"{{'authorization': 'Bearer {SECRET}'}}",
        f"api_key='{SECRET}'",
        f"?access_token={SECRET}&x=1",
        f"INSERT failed\n[SQL: INSERT INTO posts]\n[parameters: ('{SECRET}',)]",
        f"duplicate key\nDETAIL:  Key (email)=({SECRET}) already exists.",
        f"DETAIL:  Failing row contains (1, {SECRET}).",
    ],
)
def test_planted_secret_is_redacted_everywhere(
    planted: str, capfd: pytest.CaptureFixture[str]
) -> None:
    for style in ("json", "text"):
        stream = io.StringIO()
        configure_logging("debug", style, stream)
        log = get_logger("x")
        log.info(planted)
        log.info("sent", error=planted, nested={"in": [planted]})
        logging.getLogger("uvicorn.error").warning("from %s", planted)
        try:
            fail(planted)
        except RuntimeError:
            log.exception("failed")
        assert SECRET not in stream.getvalue()
        assert "failed" in stream.getvalue()
    assert SECRET not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    "name", ["password", "token", "email", "body", "content", "Authorization", "name", "api_key"]
)
def test_field_named_like_a_secret_is_hidden(name: str, output: io.StringIO) -> None:
    get_logger("x").info("sent", **{name: SECRET})

    assert read_lines(output)[0][name] == "[private]"


def test_token_is_redacted_by_its_form() -> None:
    assert redact(f"le jeton {TOKEN} ne sert plus") == "le jeton [token] ne sert plus"


@pytest.mark.parametrize(
    "harmless",
    ["community.post 3@7", "à 12:30, 4 tokens read", "https://préau.fr/v1/x?y=1", "basic rules"],
)
def test_ordinary_text_is_not_redacted(harmless: str) -> None:
    assert redact(harmless) == harmless


def test_values_of_a_rejected_row_are_redacted(output: io.StringIO) -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE t (x TEXT UNIQUE)"))
        connection.execute(sa.text("INSERT INTO t VALUES (:x)"), {"x": SECRET})
        with pytest.raises(IntegrityError) as caught:
            connection.execute(sa.text("INSERT INTO t VALUES (:x)"), {"x": SECRET})
    engine.dispose()
    assert SECRET in str(caught.value)

    get_logger("x").error("refused", error=str(caught.value), exc_info=caught.value)

    assert SECRET not in output.getvalue()


def test_terminal_line_cannot_be_forged_by_a_field() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    configure_logging(stream=stream)

    with service_context("community"):
        get_logger("relay").info("sent", topic="é", detail="a\n12:00:00 error    forged")

    (line,) = stream.getvalue().splitlines()
    assert "info     community/relay sent topic=é detail=a\\n12:00:00" in line
