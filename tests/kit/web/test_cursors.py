"""Cursors: exact round trip; forged or invalid cursors are rejected."""

import base64
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kit.web.cursors import BadCursor, BigInt, decode, encode

MOMENT = datetime(2026, 11, 25, 12, 30, 1, 2, tzinfo=UTC)
ID = UUID("0192f3c4-0000-7000-8000-00000000000a")


def test_cursor_decodes_to_its_position() -> None:
    cursor = encode(MOMENT, ID, "récré ☀", 7)
    assert decode(cursor, datetime, UUID, str, int) == [MOMENT, ID, "récré ☀", 7]
    assert cursor.replace("-", "").replace("_", "").isalnum()


def _cursor(json: str) -> str:
    return base64.urlsafe_b64encode(json.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "%",
        "é",
        "a",
        _cursor("5"),
        _cursor("[]"),
        _cursor('["x"]'),
        _cursor("[true]"),
        _cursor("[1.5]"),
        _cursor("[1, 2]"),
        _cursor(f"[{2**63}]"),
        _cursor(f"[{-(2**63) - 1}]"),
        _cursor("[1]") + "!",
        "[1]",
    ],
)
def test_cursor_of_another_form_is_rejected(cursor: str) -> None:
    with pytest.raises(BadCursor):
        decode(cursor, int)


@pytest.mark.parametrize(
    ("json", "kind"),
    [
        ('["a\\u0000"]', str),
        ('["not-a-uuid"]', UUID),
        ('["2026-11-25"]', datetime),
        ('["2026-11-25T12:00:00"]', datetime),
        ('["9999-12-31T23:59:59-12:00"]', datetime),
        ('["0001-01-01T00:00:00+14:00"]', datetime),
    ],
)
def test_values_that_no_column_can_store_are_rejected(json: str, kind: type) -> None:
    with pytest.raises(BadCursor):
        decode(_cursor(json), kind)


@given(st.text())
def test_any_text_decodes_or_is_rejected(text: str) -> None:
    try:
        parts = decode(text, str, int)
    except BadCursor:
        return
    assert [type(part) for part in parts] == [str, int]


def test_bad_cursor_is_a_client_error() -> None:
    assert BadCursor.status == 422


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1, 2**62])
def test_number_that_its_column_cannot_store_is_rejected(number: int) -> None:
    with pytest.raises(BadCursor):
        decode(encode(number), int)
    assert decode(encode(number), BigInt) == [number]
