"""JSON that can be stored, checked at C speed: syntax, numbers of values and levels, characters.

Nothing here looks at values one by one while all is well. Sizes are bounded before anything is
parsed, so that no single call holds the interpreter for longer than some milliseconds per megabyte.
"""

import json
from typing import Any, ClassVar

import msgspec

from shared.kit.core.errors import PreauError
from shared.kit.web.problems import Malformed

MAX_DEPTH = 32
MAX_NUMBER_DIGITS = 40
MAX_EXPLAINED_BYTES = 100_000
"""A wrong body up to this size is read again, slowly, to say at which value it fails."""
_SLICE_BYTES = 1_000_000
_DECODER = msgspec.json.Decoder()
_DIGITS = bytes(
    ord("0") if chr(code).isascii() and chr(code).isdigit() else code for code in range(256)
)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(code for code in range(256) if code not in b"[]{}")
_NUL_ESCAPE = b"\\u0000"


class TooManyValues(PreauError):
    """The body holds more JSON values than this route takes."""

    status: ClassVar[int] = 413
    key = "too_many_values"


def parse_json(body: bytes, max_values: int) -> Any:
    """Parse a body of at most `values` JSON values; None when there is none.

    Raises `Malformed`, saying where it fails, or `TooManyValues`.
    """
    if not body:
        return None
    _check_shape(body, max_values)
    try:
        value = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _explain(body, error) from error
    # The escape may itself be escaped (`\\\\u0000`): only then are the values looked at.
    if _NUL_ESCAPE in body:
        _check_texts(value)
    return value


def _check_shape(body: bytes, values: int) -> None:
    """Bound values, levels and digits by counting bytes; what stands in strings may be in the way.

    Only a body that seems to have too many is looked at again without its strings.
    """
    brackets = body.count(b"[") + body.count(b"{")
    many = brackets + _commas(body, values) >= values
    if not (many or brackets > MAX_DEPTH or _has_long_number(body)):
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


def _commas(body: bytes, most: int) -> int:
    """Count commas, slice by slice; stop after the slice in which there are more than `most`."""
    count = 0
    for begin in range(0, len(body), _SLICE_BYTES):
        count += body.count(b",", begin, begin + _SLICE_BYTES)
        if count > most:
            break
    return count


def _has_long_number(text: bytes) -> bool:
    return b"0" * (MAX_NUMBER_DIGITS + 1) in text.translate(_DIGITS)


def _without_strings(body: bytes, values: int) -> bytes:
    """Return what stands outside of strings. Raises `TooManyValues` for too many strings."""
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Each value has at most a name and a text, of two quotation marks each.
    quotes = 4 * values
    parts = plain.split(b'"', quotes + 2)
    if len(parts) > quotes + 1:
        raise TooManyValues(limit=values)
    return b"".join(parts[::2])


def _is_deep(nesting: bytes) -> bool:
    """Return whether brackets are nested deeper than `MAX_DEPTH`; the text may be cut off.

    Each round removes the innermost pairs, that is one level.
    """
    for _ in range(MAX_DEPTH):
        nesting = nesting.replace(b"[]", b"")
        if not nesting:
            return False
    return b"]" in nesting or len(nesting) > MAX_DEPTH


def _explain(body: bytes, error: Exception) -> Malformed:
    """Return what is wrong, and at which line or value."""
    try:
        text = body.decode()
    except UnicodeDecodeError as wrong:
        line = body.count(b"\n", 0, wrong.start) + 1
        return Malformed(detail=f"line {line}, byte {wrong.start}: not UTF-8")
    if len(body) > MAX_EXPLAINED_BYTES:
        return Malformed(detail=f"not JSON that can be stored: {error}")
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        _check_texts(value)
    except json.JSONDecodeError as wrong:
        return Malformed(detail=f"line {wrong.lineno}, column {wrong.colno}: {wrong.msg}")
    except Malformed as wrong:
        return wrong
    except RecursionError:
        return Malformed(detail=f"deeper than {MAX_DEPTH} levels")
    return Malformed(detail=str(error))


def _refuse_constant(name: str) -> None:
    raise Malformed(detail=f"{name} is no JSON")


def _check_texts(value: object) -> None:
    """Refuse a text that no database takes. Raises `Malformed` with its pointer."""
    found = _unfit_text(value)
    if found is not None:
        steps, reason = found
        pointer = "".join(f"/{step}" for step in reversed(steps)) or "/"
        raise Malformed(detail=f"{pointer} holds {reason}")


def _unfit_text(value: object) -> tuple[list[object], str] | None:
    """Find the first text that cannot be stored: the steps to it, the last one first, and why."""
    if isinstance(value, str):
        reason = _reason(value)
        return ([], reason) if reason else None
    inner: Any = ()
    if isinstance(value, dict):
        for name in value:
            if reason := _reason(name):
                return [], reason
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for step, each in inner:
        unfit = _unfit_text(each)
        if unfit is not None:
            unfit[0].append(step)
            return unfit
    return None


def _reason(text: str) -> str | None:
    if "\x00" in text:
        return "a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        # `"\\ud800"` is JSON, but half of a character: no encoder and no database takes it.
        return "half of a character"
    return None
