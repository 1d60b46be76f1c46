"""Breaking changes between two JSON Schemas: for new readers of old records and the reverse."""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
_COMPARED_KEYS = (
    "properties",
    "required",
    "enum",
    "anyOf",
    "items",
    "additionalProperties",
    "default",
)


def find_breaks(old: Json, new: Json, path: str = "") -> Iterator[str]:
    """Yield every breaking change, as a line that names the field."""
    location = path or "the fact"
    if _other_keys(old) != _other_keys(new) or len(old.get("anyOf", ())) != len(
        new.get("anyOf", ())
    ):
        yield f"{location}: its type changed from {_type_name(old)} to {_type_name(new)}"
        return
    if old.get("default") != new.get("default"):
        # A value that equals the default is not written: readers use their own default.
        yield f"{location}: its default changed from {old.get('default')} to {new.get('default')}"
    yield from _compare_values(old, new, location)
    yield from _compare_fields(old, new, path)
    for old_option, new_option in zip(old.get("anyOf", ()), new.get("anyOf", ()), strict=True):
        yield from find_breaks(old_option, new_option, path)
    for keyword in ("items", "additionalProperties"):
        yield from _compare_nested(old.get(keyword), new.get(keyword), f"{path}[]")


def _compare_fields(old: Json, new: Json, parent: str) -> Iterator[str]:
    old_fields, new_fields = old.get("properties", {}), new.get("properties", {})
    old_required, new_required = set(old.get("required", ())), set(new.get("required", ()))
    for name, field in old_fields.items():
        path = f"{parent}.{name}".lstrip(".")
        if name not in new_fields:
            yield f"{path}: removed or renamed; an old reader misses it"
            continue
        if name in new_required - old_required:
            yield f"{path}: newly required; old records do not have it"
        if name in old_required - new_required:
            yield f"{path}: no longer required; an old reader refuses a record without it"
        if (name in old_required) == (name in new_required):
            yield from find_breaks(field, new_fields[name], path)
    for name in new_fields:
        if name not in old_fields and name in new_required:
            yield f"{parent}.{name}".lstrip(".") + ": newly required; old records do not have it"


def _compare_values(old: Json, new: Json, location: str) -> Iterator[str]:
    old_values, new_values = set(old.get("enum", ())), set(new.get("enum", ()))
    for value in sorted(old_values - new_values, key=str):
        yield f"{location}: the value {value} was removed; old records say it"
    for value in sorted(new_values - old_values, key=str):
        yield f"{location}: the value {value} is new; an old reader refuses it"


def _compare_nested(old: object, new: object, path: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from find_breaks(old, new, path)
    elif old != new:
        yield f"{path}: its type changed from {old} to {new}"


def _other_keys(schema: Json) -> Json:
    keys = {key: value for key, value in schema.items() if key not in _COMPARED_KEYS}
    return {**keys, "values": "enum" in schema, "object": "properties" in schema}


def _type_name(schema: Json) -> str:
    if "anyOf" in schema:
        return " or ".join(_type_name(option) for option in schema["anyOf"])
    return str(schema.get("format") or schema.get("type") or "a word of a list")
