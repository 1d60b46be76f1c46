"""Hostile request bodies: the costliest that a route accepts, built from its OpenAPI schema.

Each body is as large as the limits in `shared.kit.web.body` allow.
"""

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
"""Items in a generated list, even if the schema allows more."""
ROUTE_INDEPENDENT_BODIES = frozenset(
    {"lists", "nested lists", "escapes", "escaped escapes", "maximum number of values"}
)
"""Bodies with the same cost or rejection on every route: one route of each service is enough."""
TEXTS = ("! ", "<b a='1'>", "é", "> - ")
"""Texts that are costly to parse: spaces, nested HTML, two-byte characters, Markdown quotes."""


def body_limits(route: IdempotentRoute) -> tuple[int, int]:
    """Return the maximum size in bytes and number of JSON values of a body for a route."""
    if access_of(route) == "anonymous":
        return MAX_ANONYMOUS_BODY_BYTES, MAX_ANONYMOUS_BODY_VALUES
    return (
        route.max_body_bytes or MAX_BODY_BYTES,
        MAX_BODY_VALUES if route.gate is None else MAX_GATED_BODY_VALUES,
    )


def hostile_bodies(app: FastAPI, route: IdempotentRoute) -> Iterator[tuple[str, bytes]]:
    """Yield hostile bodies with their names, none above the size limit of the route."""
    size, values = body_limits(route)
    schema = _body_schema(app, route)
    components: Mapping[str, Json] = app.openapi().get("components", {}).get("schemas", {})
    yield "zeros", b"[" + b"0," * (size // 2 - 1) + b"0]"
    yield "lists", b"[" + b"[]," * (size // 3 - 1) + b"0]"
    yield "nested lists", b"[" + (b"[" * 30 + b"]" * 30 + b",") * (size // 61 - 1) + b"0]"
    yield "maximum number of values", b"[" + b'"",' * (values - 2) + b"0]"
    yield "escapes", b'{"a":"' + b"\\u0041" * (size // 6 - 3) + b'"}'
    yield "escaped escapes", b"[" + b'"\\\\u0000",' * (values - 2) + b"0]"
    yield "unknown fields", _encode_truncated(_unknown_fields(values - 2), size)
    valid = fill_schema(schema, components, TEXTS[0], size // 4)
    if isinstance(valid, dict):
        yield (
            "unknown fields and valid fields",
            _encode_truncated(_unknown_fields(values // 2) | valid, size),
        )
        yield (
            "items of the wrong type",
            _encode_truncated({name: [0] * (values // (len(valid) + 1)) for name in valid}, size),
        )
        yield (
            "unknown fields in items",
            _encode_truncated(_add_fields_to_items(valid, values // 2), size),
        )
    for text in TEXTS:
        max_characters = size // (4 * len(text.encode()))
        body = fill_schema(schema, components, text, max_characters)
        yield f"longest texts of {text!r}", _encode_truncated(body, size)


def fill_schema(
    schema: Json, components: Mapping[str, Json], text: str, max_characters: int
) -> Any:  # Any: a JSON value
    """Return a value valid for a schema, with the most items and longest texts that it allows.

    `text` is repeated up to `max_characters`, divided between the items of a list.
    """
    schema = _resolve(schema, components)
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    kind, text_format = schema.get("type"), schema.get("format")
    if kind == "object":
        return {
            name: fill_schema(property_schema, components, text, max_characters)
            for name, property_schema in schema.get("properties", {}).items()
        }
    if kind == "array":
        item_schema = schema.get("items", {})
        count = min(schema.get("maxItems", MAX_ITEMS), MAX_ITEMS)
        return [fill_schema(item_schema, components, text, max_characters // count)] * count
    if kind == "string":
        samples = {"uuid": str(uuid7()), "date-time": "2020-01-01T00:00:00Z", "date": "2020-01-01"}
        length = min(schema.get("maxLength", max_characters), max_characters)
        return samples.get(text_format or "", (text * length)[:length])
    return {"integer": 1, "number": 1.5, "boolean": True}.get(kind or "")


def _resolve(schema: Json, components: Mapping[str, Json]) -> Json:
    while True:
        if "$ref" in schema:
            schema = components[schema["$ref"].rpartition("/")[2]]
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


def _unknown_fields(count: int) -> Json:
    return {f"u{number}": 1 for number in range(count)}


def _add_fields_to_items(body: Json, count: int) -> Json:
    """Return the body with `count` unknown fields, spread over the items of its lists."""
    lists = [value for value in body.values() if isinstance(value, list)]
    item_count = sum(map(len, lists)) or 1
    unknown_fields = _unknown_fields(count // item_count)
    return {
        name: [
            item | unknown_fields if isinstance(item, dict) else unknown_fields for item in value
        ]
        if isinstance(value, list)
        else value
        for name, value in body.items()
    }


def _encode_truncated(value: Any, max_bytes: int) -> bytes:  # Any: a JSON value
    """Encode a value as JSON; above `max_bytes` it is cut, which makes the JSON invalid."""
    return json.dumps(value, ensure_ascii=False).encode()[:max_bytes]
