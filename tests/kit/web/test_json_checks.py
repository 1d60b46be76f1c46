"""Hostile JSON is rejected within its CPU time and for the right reason."""

import json
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from shared.kit.web import json_checks
from shared.kit.web.json_checks import MAX_DEPTH, TooManyValues, parse_json
from shared.kit.web.problems import Malformed

SIZE, VALUES = 10_000_000, 20_000
CPU_SECONDS = 1.0
"""Of the whole check, on a shared machine; the walk it replaces took 10 to 20 s."""
HOSTILE: dict[str, Callable[[int], bytes]] = {
    "zeros": lambda n: b"[" + b"0," * (n // 2) + b"0]",
    "lists": lambda n: b"[" + b"[]," * (n // 3) + b"0]",
    "objects": lambda n: b"[" + b"{}," * (n // 3) + b"0]",
    "texts": lambda n: b"[" + b'"",' * (n // 3) + b"0]",
    "unknown fields": lambda n: b"{" + b",".join(b'"a%06d":1' % i for i in range(n // 12)) + b"}",
    "opening brackets": lambda n: b"[" * n,
    "towers": lambda n: b"[" + (b"[" * 30 + b"]" * 30 + b",") * (n // 61) + b"0]",
    "quotation marks": lambda n: b'"' * n,
    "escaped quotation marks": lambda n: b'"' + b'\\"' * (n // 2) + b'"',
    "backslashes": lambda n: b"\\" * n,
    "commas in a text": lambda n: b'"' + b"," * n + b'"',
    "brackets in a text": lambda n: b'"' + b"[" * n + b'"',
    "digits in a text": lambda n: b'"' + b"0" * n + b'"',
    "forty digits again and again": lambda n: b'"' + (b"0" * 40 + b"a") * (n // 41) + b'"',
    "one number": lambda n: b"9" * n,
    "line ends": lambda n: b"\n" * n,
    "escapes": lambda n: b'"' + b"\\u0041" * (n // 6) + b'"',
    "nul escapes": lambda n: b'"' + b"\\u0000" * (n // 6) + b'"',
    "escaped nul escapes": lambda n: b'["' + b"\\\\u0000" * (n // 7) + b'"]',
    "half characters": lambda n: b'"' + b"\\ud800" * (n // 6) + b'"',
    "not UTF-8": lambda n: b'"' + b"\xff" * n + b'"',
    "emoji": lambda n: b'"' + "😀".encode() * (n // 4) + b'"',
}


@pytest.mark.parametrize("pattern", HOSTILE)
def test_largest_hostile_body_is_checked_within_its_cpu_time(pattern: str) -> None:
    body = HOSTILE[pattern](SIZE)
    begin = time.thread_time()
    with suppress(Malformed, TooManyValues):
        parse_json(body, VALUES)
    assert time.thread_time() - begin < CPU_SECONDS


def test_values_are_counted_outside_of_strings_only() -> None:
    body = json.dumps(["a,b[c{d"] * 99).encode()
    assert len(parse_json(body, 100)) == 99
    with pytest.raises(TooManyValues):
        parse_json(body, 99)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_levels_are_counted_exactly(opening: str) -> None:
    closing = "]" if opening == "[" else "}"

    def tower(levels: int) -> bytes:
        inner = "" if opening == "[" else "{}"
        return (opening * levels + inner + closing * levels).encode()

    fits = MAX_DEPTH if opening == "[" else MAX_DEPTH - 1
    parse_json(tower(fits), VALUES)
    with pytest.raises(Malformed, match="deeper"):
        parse_json(tower(fits + 1), VALUES)


def test_many_shallow_lists_are_not_deep() -> None:
    assert parse_json(b"[" + b"[[]]," * 1_000 + b"0]", VALUES)[-1] == 0


def test_hostile_characters_inside_strings_are_accepted() -> None:
    document = {"a": "[" * 200 + "," * 200 + "1" * 200 + '\\"\\u0000' + "{" * 200, "b": 10**39}
    assert parse_json(json.dumps(document).encode(), VALUES) == document


def test_large_invalid_body_is_not_parsed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_checks, "MAX_EXPLAINED_BYTES", 10)
    with pytest.raises(Malformed):
        parse_json(b'{"a": "\\ud83d", "b": 1}', VALUES)
