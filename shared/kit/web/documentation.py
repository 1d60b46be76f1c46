"""`/docs`: the OpenAPI document as a page that loads nothing from elsewhere."""

import json
from collections.abc import Iterator
from typing import Any

from markupsafe import Markup, escape

from shared.kit.web.messages import Messages

PROBLEMS = "x-problem-types"
_STYLE = (
    "body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#191D3A}"
    "code{background:#F5F5FB;padding:.1em .3em}summary{cursor:pointer;padding:.4em 0}"
    "pre{background:#F5F5FB;padding:1em;overflow:auto}table{border-collapse:collapse}"
    "td,th{border-bottom:1px solid #ccc;padding:.2em .8em .2em 0;text-align:left}"
)


def describe(document: dict[str, Any], messages: Messages, mounted: str) -> dict[str, Any]:
    """Complete FastAPI's document: where it is mounted, and every problem type with its title."""
    problems = {key: messages.get(key, "en").get("title", "") for key in messages.keys("en")}
    return {
        **document,
        "servers": [{"url": mounted or "/"}],
        PROBLEMS: dict(sorted(problems.items())),
    }


def page(document: dict[str, Any]) -> str:
    """Draw an OpenAPI document: every operation with its action, fields and examples."""
    title, mounted = document["info"]["title"], document["servers"][0]["url"].rstrip("/")
    return "".join(
        [
            f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>",
            f"<style>{_STYLE}</style><h1>{escape(title)}</h1>",
            "<p>The whole description, for machines: <a href='openapi.json'>openapi.json</a>.</p>",
            "<h2>Operations</h2>",
            *_operations(document, mounted),
            "<h2>Bodies</h2>",
            *_bodies(document),
            "<h2>Problems</h2><p>Errors are problem documents (RFC 9457) of these types.</p><ul>",
            *_problems(document),
            "</ul></html>",
        ]
    )


def _operations(document: dict[str, Any], mounted: str) -> Iterator[str]:
    for path, methods in sorted(document["paths"].items()):
        for method, found in methods.items():
            yield Markup(
                "<details><summary><b>{}</b> <code>{}</code> — {}</summary><p>{}</p>"
                "<p>Action <code>{}</code>, for <code>{}</code>.</p>"
            ).format(
                method.upper(),
                mounted + path,
                found.get("summary", ""),
                found.get("description", ""),
                found.get("x-action", ""),
                found.get("x-access", ""),
            )
            yield from _parameters(found)
            yield from _content("Body", found.get("requestBody", {}))
            for status, answer in found.get("responses", {}).items():
                yield from _content(f"Answer {status}", answer)
            yield "</details>"


def _parameters(found: dict[str, Any]) -> Iterator[str]:
    rows = [
        Markup("<tr><td><code>{}</code><td>{}<td>{}").format(
            parameter["name"], parameter["in"], parameter.get("description", "")
        )
        for parameter in found.get("parameters", ())
    ]
    if rows:
        yield f"<table>{''.join(rows)}</table>"


def _content(title: str, described: dict[str, Any]) -> Iterator[str]:
    for media, inside in described.get("content", {}).items():
        schema = inside.get("schema", {})
        name = str(schema.get("$ref", schema.get("title", ""))).rsplit("/", 1)[-1]
        shown = Markup("<a href='#{0}'>{0}</a>").format(name) if "$ref" in schema else escape(name)
        yield Markup("<p>{}: <code>{}</code> {}</p>").format(title, media, shown)
        yield from _example(inside)


def _bodies(document: dict[str, Any]) -> Iterator[str]:
    for name, schema in sorted(document.get("components", {}).get("schemas", {}).items()):
        yield Markup("<h3 id='{0}'>{0}</h3><p>{1}</p><table>").format(
            name, schema.get("description", "")
        )
        required = schema.get("required", ())
        for field, said in schema.get("properties", {}).items():
            yield Markup("<tr><td><code>{}</code><td>{}<td>{}<td>{}<td>{}").format(
                field,
                _kind(said),
                "required" if field in required else "",
                said.get("description", ""),
                " ".join(json.dumps(e, ensure_ascii=False) for e in said.get("examples", ())),
            )
        yield "</table>"
        yield from _example(schema)


def _kind(schema: dict[str, Any]) -> str:
    """Say in a word what a field holds."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " or ".join(_kind(choice) for choice in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type", ""))


def _example(said: dict[str, Any]) -> Iterator[str]:
    examples = [said["example"]] if "example" in said else list(said.get("examples", ()))
    for example in examples:
        text = json.dumps(example, ensure_ascii=False, indent=2)
        yield Markup("<pre>{}</pre>").format(text)


def _problems(document: dict[str, Any]) -> Iterator[str]:
    for key, title in document[PROBLEMS].items():
        yield Markup("<li><a href='problems/{0}'><code>/problems/{0}</code></a> {1}").format(
            key, title
        )
