"""Accepted JSON Schemas of the facts, and the current ones."""

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
_PROSE_KEYS = ("title", "description")


def json_schema_of(kind: type[Struct]) -> Json:
    """Return a type's JSON Schema with references inlined and without prose."""
    schema = msgspec.json.schema(kind)
    # Through JSON, which has no tuples: it is compared with a schema that was read from a file.
    inlined: Json = json.loads(json.dumps(_inline_references(schema, schema["$defs"])))
    return inlined


def accepted_schema(name: str) -> Json | None:
    """Read the accepted schema; None if there is none."""
    file = SCHEMAS_FOLDER / f"{name}.json"
    if not file.is_file():
        return None
    schema: Json = json.loads(file.read_text(encoding="utf-8"))
    return schema


def accept_schema(name: str, shape: Json) -> None:
    """Accept a schema."""
    text = json.dumps(shape, ensure_ascii=False, indent=1)
    (SCHEMAS_FOLDER / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


def _inline_references(schema: Any, parts: Json) -> Any:
    if isinstance(schema, list):
        return [_inline_references(item, parts) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        siblings = {key: value for key, value in schema.items() if key not in {"$ref", "$defs"}}
        return {**_inline_references(parts[name], parts), **siblings}
    return {
        key: _inline_fields(value, parts)
        if key == "properties"
        else _inline_references(value, parts)
        for key, value in schema.items()
        if key not in _PROSE_KEYS
    }


def _inline_fields(fields: Json, parts: Json) -> Json:
    # A field may be named `title`.
    return {name: _inline_references(field, parts) for name, field in fields.items()}
