"""`/docs`: the OpenAPI document as a page that loads nothing from elsewhere."""

from typing import Any

from markupsafe import escape

_STYLE = (
    "body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#191D3A}"
    "code{background:#F5F5FB;padding:.1em .3em}summary{cursor:pointer;padding:.4em 0}"
    "pre{background:#F5F5FB;padding:1em;overflow:auto}table{border-collapse:collapse}"
    "td,th{border-bottom:1px solid #ccc;padding:.2em .8em .2em 0;text-align:left}"
)


def page(document: dict[str, Any]) -> str:
    """Draw an OpenAPI document: every operation with its action, fields and examples."""
    title = escape(document["info"]["title"])
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>",
        f"<style>{_STYLE}</style><h1>{title}</h1>",
        "<p>Errors are problem documents (RFC 9457); their <code>type</code> is a page here. "
        "The whole description: <a href='openapi.json'>openapi.json</a>.</p>",
    ]
    for path, methods in sorted(document["paths"].items()):
        parts += [_operation(path, method, found) for method, found in methods.items()]
    return "".join(map(str, parts)) + "</html>"


def _operation(path: str, method: str, found: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(p['name'])}</code><td>{escape(p['in'])}"
        f"<td>{escape(p.get('description', ''))}"
        for p in found.get("parameters", ())
    )
    body = _schema_of(found)
    return (
        f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> — "
        f"{escape(found.get('summary', ''))}</summary>"
        f"<p>{escape(found.get('description', ''))}</p>"
        f"<p>Action <code>{escape(found.get('x-action', ''))}</code>, "
        f"for <code>{escape(found.get('x-access', ''))}</code>.</p>"
        f"{f'<table>{rows}</table>' if rows else ''}"
        f"{f'<p>Body: <code>{escape(body)}</code></p>' if body else ''}</details>"
    )


def _schema_of(found: dict[str, Any]) -> str:
    content = found.get("requestBody", {}).get("content", {})
    for described in content.values():
        schema = described.get("schema", {})
        return str(schema.get("$ref", schema.get("title", ""))).rsplit("/", 1)[-1]
    return ""
