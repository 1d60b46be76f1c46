"""Parses JSON and rejects what cannot be stored: syntax, too many values or levels, characters.

A valid body is checked by C functions only, never value by value in Python. Values and levels are
counted before the body is parsed, so that no call blocks the interpreter for more than some
milliseconds per megabyte.
"""

import json
from typing import Any, ClassVar

import msgspec

from shared.kit.core.errors import PreauError
from shared.kit.web.problems import Malformed

MAX_DEPTH = 32
MAX_NUMBER_DIGITS = 40
MAX_EXPLAINED_BYTES = 100_000
"""An invalid body up to this size is parsed again, slowly, to find the value that is cause."""
_SLICE_BYTES = 1_000_000
_DECODER = msgspec.json.Decoder()
_DIGITS = bytes(
    ord("0") if chr(code).isascii() and chr(code).isdigit() else code for code in range(256)
)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(code for code in range(256) if code not in b"[]{}")
_NUL_ESCAPE = b"\\u0000"


class TooManyValues(PreauError):
    """The body has more JSON values than the route accepts."""

    status: ClassVar[int] = 413
    key = "too_many_values"


def parse_json(body: bytes, max_values: int) -> Any:
    """Parse a body of at most `max_values` JSON values; an empty body gives None.

    Raises `Malformed` with the place of the error, or `TooManyValues`.
    """
    if not body:
        return None
    _check_shape(body, max_values)
    try:
        value = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _explain(body, error) from error
    # The escape may itself be escaped (`\\\\u0000`), so the values must be checked one by one.
    if _NUL_ESCAPE in body:
        _check_texts(value)
    return value


def _check_shape(body: bytes, values: int) -> None:
    """Limit values, levels and digits by counting bytes. Raises `TooManyValues`, `Malformed`.

    The first count includes the content of strings; a body over a limit is counted again without
    its strings.
    """
    brackets = body.count(b"[") + body.count(b"{")
    too_many = brackets + _count_commas(body, values) >= values
    if not (too_many or brackets > MAX_DEPTH or _has_long_number(body)):
        return
    outside = _without_strings(body, values)
    nesting = outside.translate(_BRACKETS, _NO_BRACKETS)
    if _is_deep(nesting[: 2 * values]):
        raise Malformed(detail=f"deeper than {MAX_DEPTH} levels")
    # A value follows a comma or an opening bracket; the outermost follows nothing.
    if outside.count(b",") + nesting.count(b"[") >= values:
        raise TooManyValues(limit=values)
    if _has_long_number(outside):
        raise Malformed(detail=f"a number of more than {MAX_NUMBER_DIGITS} digits")


def _count_commas(body: bytes, limit: int) -> int:
    """Count commas in slices; stop after the slice that exceeds `limit`."""
    count = 0
    for begin in range(0, len(body), _SLICE_BYTES):
        count += body.count(b",", begin, begin + _SLICE_BYTES)
        if count > limit:
            break
    return count


def _has_long_number(text: bytes) -> bool:
    return b"0" * (MAX_NUMBER_DIGITS + 1) in text.translate(_DIGITS)


def _without_strings(body: bytes, values: int) -> bytes:
    """Return the body without its strings. Raises `TooManyValues` for too many strings."""
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Each value has at most a name and a text, of two quotation marks each.
    quotes = 4 * values
    parts = plain.split(b'"', quotes + 2)
    if len(parts) > quotes + 1:
        raise TooManyValues(limit=values)
    return b"".join(parts[::2])


def _is_deep(nesting: bytes) -> bool:
    """Return whether brackets nest deeper than `MAX_DEPTH`; the text may be cut off at the end.

    Each round removes the innermost pairs, which is one level.
    """
    for _ in range(MAX_DEPTH):
        nesting = nesting.replace(b"[]", b"")
        if not nesting:
            return False
    return b"]" in nesting or len(nesting) > MAX_DEPTH


def _explain(body: bytes, error: Exception) -> Malformed:
    """Return the error of an invalid body, with its line or value."""
    try:
        text = body.decode()
    except UnicodeDecodeError as cause:
        line = body.count(b"\n", 0, cause.start) + 1
        return Malformed(detail=f"line {line}, byte {cause.start}: not UTF-8")
    if len(body) > MAX_EXPLAINED_BYTES:
        return Malformed(detail=f"not JSON that can be stored: {error}")
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        _check_texts(value)
    except json.JSONDecodeError as cause:
        return Malformed(detail=f"line {cause.lineno}, column {cause.colno}: {cause.msg}")
    except Malformed as cause:
        return cause
    except RecursionError:
        return Malformed(detail=f"deeper than {MAX_DEPTH} levels")
    return Malformed(detail=str(error))


def _refuse_constant(name: str) -> None:
    raise Malformed(detail=f"{name} is no JSON")


def _check_texts(value: object) -> None:
    """Reject a string that PostgreSQL cannot store. Raises `Malformed` with its JSON pointer."""
    invalid = _find_invalid_text(value)
    if invalid is not None:
        steps, reason = invalid
        pointer = "".join(f"/{step}" for step in reversed(steps)) or "/"
        raise Malformed(detail=f"{pointer} holds {reason}")


def _find_invalid_text(value: object) -> tuple[list[object], str] | None:
    """Find the first string that cannot be stored: its path, innermost step first, and why."""
    if isinstance(value, str):
        reason = _rejection_reason(value)
        return ([], reason) if reason else None
    inner: Any = ()
    if isinstance(value, dict):
        for name in value:
            if reason := _rejection_reason(name):
                return [], reason
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for step, item in inner:
        invalid = _find_invalid_text(item)
        if invalid is not None:
            invalid[0].append(step)
            return invalid
    return None


def _rejection_reason(text: str) -> str | None:
    if "\x00" in text:
        return "a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        # Trap: `"\\ud800"` is valid JSON, but a lone surrogate: UTF-8 and PostgreSQL reject it.
        return "half of a character"
    return None
