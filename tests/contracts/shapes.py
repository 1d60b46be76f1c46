"""The shape of every fact as it was last accepted, beside the shape that the code has now."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from shared.contracts.catalogue import EVENTS
from shared.contracts.event import Envelope

Json = dict[str, Any]
SCHEMAS_FOLDER = Path(__file__).with_name("schemas")
ACCEPT_COMMAND = ".venv/bin/python -m tests.contracts.accept"
ENVELOPE = "envelope"
TYPES: Mapping[str, type[Struct]] = {ENVELOPE: Envelope, **EVENTS}
_SAID = ("title", "description")


def json_schema_of(kind: type[Struct]) -> Json:
    """Return a type's JSON Schema in one piece: references filled in, words left out."""
    schema = msgspec.json.schema(kind)
    # By way of JSON, which knows no tuples: it is compared with what was read from a file.
    found: Json = json.loads(json.dumps(_inlined(schema, schema["$defs"])))
    return found


def accepted_schema(name: str) -> Json | None:
    """Read the shape that was accepted; None for one that never was."""
    file = SCHEMAS_FOLDER / f"{name}.json"
    if not file.is_file():
        return None
    found: Json = json.loads(file.read_text(encoding="utf-8"))
    return found


def accept_schema(name: str, shape: Json) -> None:
    """Accept a shape."""
    text = json.dumps(shape, ensure_ascii=False, indent=1)
    (SCHEMAS_FOLDER / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


def _inlined(schema: Any, parts: Json) -> Any:
    if isinstance(schema, list):
        return [_inlined(each, parts) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        rest = {key: value for key, value in schema.items() if key not in {"$ref", "$defs"}}
        return {**_inlined(parts[name], parts), **rest}
    return {
        key: _fields(value, parts) if key == "properties" else _inlined(value, parts)
        for key, value in schema.items()
        if key not in _SAID
    }


def _fields(fields: Json, parts: Json) -> Json:
    # A field may well be called `title`.
    return {name: _inlined(field, parts) for name, field in fields.items()}
