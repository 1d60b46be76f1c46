"""What a change of shape breaks: for a new reader of old records, or an old reader of new ones."""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
_WALKED = ("properties", "required", "enum", "anyOf", "items", "additionalProperties", "default")


def find_breaks(old: Json, new: Json, place: str = "") -> Iterator[str]:
    """Yield every break, as a line that names the field."""
    here = place or "the fact"
    if _plain(old) != _plain(new) or len(old.get("anyOf", ())) != len(new.get("anyOf", ())):
        yield f"{here}: its type changed from {_named(old)} to {_named(new)}"
        return
    if old.get("default") != new.get("default"):
        # What has its default is not written: the reader's own default is what it says.
        yield f"{here}: its default changed from {old.get('default')} to {new.get('default')}"
    yield from _values(old, new, here)
    yield from _fields(old, new, place)
    for before, after in zip(old.get("anyOf", ()), new.get("anyOf", ()), strict=True):
        yield from find_breaks(before, after, place)
    for inside in ("items", "additionalProperties"):
        yield from _inside(old.get(inside), new.get(inside), f"{place}[]")


def _fields(old: Json, new: Json, place: str) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    was, needed = set(old.get("required", ())), set(new.get("required", ()))
    for name, field in before.items():
        path = f"{place}.{name}".lstrip(".")
        if name not in after:
            yield f"{path}: removed or renamed; an old reader misses it"
            continue
        if name in needed - was:
            yield f"{path}: newly required; old records do not have it"
        if name in was - needed:
            yield f"{path}: no longer required; an old reader refuses a record without it"
        if (name in was) == (name in needed):
            yield from find_breaks(field, after[name], path)
    for name in after:
        if name not in before and name in needed:
            yield f"{place}.{name}".lstrip(".") + ": newly required; old records do not have it"


def _values(old: Json, new: Json, here: str) -> Iterator[str]:
    before, after = set(old.get("enum", ())), set(new.get("enum", ()))
    for value in sorted(before - after, key=str):
        yield f"{here}: the value {value} was removed; old records say it"
    for value in sorted(after - before, key=str):
        yield f"{here}: the value {value} is new; an old reader refuses it"


def _inside(old: object, new: object, place: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from find_breaks(old, new, place)
    elif old != new:
        yield f"{place}: its type changed from {old} to {new}"


def _plain(schema: Json) -> Json:
    kept = {key: value for key, value in schema.items() if key not in _WALKED}
    return {**kept, "values": "enum" in schema, "object": "properties" in schema}


def _named(schema: Json) -> str:
    if "anyOf" in schema:
        return " or ".join(_named(each) for each in schema["anyOf"])
    return str(schema.get("format") or schema.get("type") or "a word of a list")
