"""One object a line, with its trace, and nothing in it that is nobody's business."""

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
def out() -> io.StringIO:
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    return stream


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def fail(why: str) -> None:
    raise RuntimeError(why)


def test_a_line_says_when_what_and_in_which_trace(out: io.StringIO) -> None:
    log = get_logger("relay")
    here = record_telemetry()

    with service_context("community"), here.telemetry.span("a", "internal", parent=SAMPLED) as span:
        log.info("sent", topic="community.post", records=3, late=False, élan="🌿")
    log.warning("no trace", service="metrics")

    first, second = lines(out)
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


def test_an_unrecorded_trace_is_named_too(out: io.StringIO) -> None:
    here = record_telemetry(sample_ratio=0)

    with here.telemetry.span("a", "internal") as span:
        get_logger("x").info("said")

    assert span.traceparent is not None
    assert lines(out)[0]["trace_id"] == span.traceparent[3:35]


def test_a_field_does_not_overwrite_what_the_line_says(out: io.StringIO) -> None:
    get_logger("x").info("said", level="fatal", event="other", time=0)

    (line,) = lines(out)
    assert (line["level"], line["event"], line["field_level"]) == ("info", "said", "fatal")


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
def test_a_planted_secret_appears_nowhere(planted: str, capfd: pytest.CaptureFixture[str]) -> None:
    for style in ("json", "text"):
        stream = io.StringIO()
        configure_logging("debug", style, stream)
        log = get_logger("x")
        log.info(planted)
        log.info("said", error=planted, nested={"in": [planted]})
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
def test_a_field_named_like_a_secret_is_not_shown(name: str, out: io.StringIO) -> None:
    get_logger("x").info("said", **{name: SECRET})

    assert lines(out)[0][name] == "[private]"


def test_a_token_is_known_by_its_form() -> None:
    assert redact(f"le jeton {TOKEN} ne sert plus") == "le jeton [token] ne sert plus"


@pytest.mark.parametrize(
    "harmless",
    ["community.post 3@7", "à 12:30, 4 tokens read", "https://préau.fr/v1/x?y=1", "basic rules"],
)
def test_ordinary_words_stay(harmless: str) -> None:
    assert redact(harmless) == harmless


def test_the_rows_that_a_database_refuses_are_not_quoted(out: io.StringIO) -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connected:
        connected.execute(sa.text("CREATE TABLE t (x TEXT UNIQUE)"))
        connected.execute(sa.text("INSERT INTO t VALUES (:x)"), {"x": SECRET})
        with pytest.raises(IntegrityError) as raised:
            connected.execute(sa.text("INSERT INTO t VALUES (:x)"), {"x": SECRET})
    engine.dispose()
    assert SECRET in str(raised.value)

    get_logger("x").error("refused", error=str(raised.value), exc_info=raised.value)

    assert SECRET not in out.getvalue()


def test_a_terminal_gets_one_readable_line_that_nobody_can_break() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    configure_logging(stream=stream)

    with service_context("community"):
        get_logger("relay").info("sent", topic="é", said="a\n12:00:00 error    forged")

    (line,) = stream.getvalue().splitlines()
    assert "info     community/relay sent topic=é said=a\\n12:00:00" in line
