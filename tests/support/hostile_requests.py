"""The largest requests that a route takes, made from what it says of itself to hurt the most."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from uuid_utils.compat import uuid7

from shared.kit.web.body import (
    MAX_ANONYMOUS_BODY_BYTES,
    MAX_ANONYMOUS_BODY_VALUES,
    MAX_BODY_BYTES,
    MAX_BODY_VALUES,
    MAX_GATED_BODY_VALUES,
)
from shared.kit.web.idempotency import IdempotentRoute
from shared.kit.web.route_table import access_of

Json = dict[str, Any]
MAX_ITEMS = 500
ROUTE_INDEPENDENT_BODIES = frozenset(
    {"lists", "towers", "escapes", "escaped escapes", "as many values as fit"}
)
"""Bodies that are refused, or cost the same, whatever the route: sent to one of each service."""
TEXTS = ("! ", "<b a='1'>", "é", "> - ")
"""What costs most to read: by spacing, by nesting of HTML, by bytes, by nesting of Markdown."""


def body_limits(route: IdempotentRoute) -> tuple[int, int]:
    """Return the bytes and values that a route takes."""
    if access_of(route) == "anonymous":
        return MAX_ANONYMOUS_BODY_BYTES, MAX_ANONYMOUS_BODY_VALUES
    return (
        route.max_body_bytes or MAX_BODY_BYTES,
        MAX_BODY_VALUES if route.gate is None else MAX_GATED_BODY_VALUES,
    )


def hostile_bodies(app: FastAPI, route: IdempotentRoute) -> Iterator[tuple[str, bytes]]:
    """Return hostile bodies for a route, each with its name, none larger than the route takes."""
    size, values = body_limits(route)
    schema = _body_schema(app, route)
    known: Mapping[str, Json] = app.openapi().get("components", {}).get("schemas", {})
    yield "zeros", b"[" + b"0," * (size // 2 - 1) + b"0]"
    yield "lists", b"[" + b"[]," * (size // 3 - 1) + b"0]"
    yield "towers", b"[" + (b"[" * 30 + b"]" * 30 + b",") * (size // 61 - 1) + b"0]"
    yield "as many values as fit", b"[" + b'"",' * (values - 2) + b"0]"
    yield "escapes", b'{"a":"' + b"\\u0041" * (size // 6 - 3) + b'"}'
    yield "escaped escapes", b"[" + b'"\\\\u0000",' * (values - 2) + b"0]"
    yield "unknown fields", _cut(_unknown(values - 2), size)
    full = fill_schema(schema, known, TEXTS[0], size // 4)
    if isinstance(full, dict):
        yield "unknown fields beside known ones", _cut(_unknown(values // 2) | full, size)
        yield "wrong items", _cut({name: [0] * (values // (len(full) + 1)) for name in full}, size)
        yield "unknown fields in items", _cut(_spoil_items(full, values // 2), size)
    for text in TEXTS:
        longest = fill_schema(schema, known, text, size // (4 * len(text.encode())))
        yield f"longest texts of {text!r}", _cut(longest, size)


def fill_schema(schema: Json, known: Mapping[str, Json], text: str, longest: int) -> Any:
    """Make a value that fits a schema, with as many items and as long texts as it allows."""
    schema = _resolved(schema, known)
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    kind, shape = schema.get("type"), schema.get("format")
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: fill_schema(each, known, text, longest) for name, each in properties.items()}
    if kind == "array":
        items, most = schema.get("items", {}), min(schema.get("maxItems", MAX_ITEMS), MAX_ITEMS)
        return [fill_schema(items, known, text, longest // most)] * most
    if kind == "string":
        samples = {"uuid": str(uuid7()), "date-time": "2020-01-01T00:00:00Z", "date": "2020-01-01"}
        length = min(schema.get("maxLength", longest), longest)
        return samples.get(shape or "", (text * length)[:length])
    return {"integer": 1, "number": 1.5, "boolean": True}.get(kind or "")


def _resolved(schema: Json, known: Mapping[str, Json]) -> Json:
    while True:
        if "$ref" in schema:
            schema = known[schema["$ref"].rpartition("/")[2]]
        elif "anyOf" in schema:
            schema = schema["anyOf"][0]
        else:
            return schema


def _body_schema(app: FastAPI, route: IdempotentRoute) -> Json:
    operations = app.openapi()["paths"][route.path]
    operation = operations[min(route.methods or ()).lower()]
    content = operation.get("requestBody", {}).get("content", {})
    schema: Json = content.get("application/json", {}).get("schema", {})
    return schema


def _unknown(number: int) -> Json:
    return {f"u{each}": 1 for each in range(number)}


def _spoil_items(full: Json, values: int) -> Json:
    """Return every item of every list unknown fields, so many in all."""
    lists = [value for value in full.values() if isinstance(value, list)]
    items = sum(map(len, lists)) or 1
    more = _unknown(values // items)
    return {
        name: [each | more if isinstance(each, dict) else more for each in value]
        if isinstance(value, list)
        else value
        for name, value in full.items()
    }


def _cut(value: Any, size: int) -> bytes:
    """Write a value; one that is too large loses its end, and is no JSON any more."""
    return json.dumps(value, ensure_ascii=False).encode()[:size]
