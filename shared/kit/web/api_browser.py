"""`/docs` and `/openapi.json`: the API of a service in Swagger UI, served from this host only."""

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from markupsafe import Markup

from shared.kit.web.messages import Messages
from shared.kit.web.route_table import ACCESS_EXTENSION

PROBLEM_TYPES_EXTENSION = "x-problem-types"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI needs scripts, styles and calls of this host only, and icons from `data:` URLs."""
ASSET_CACHE_SECONDS = 3600
_SECURITY_SCHEME = "access_token"
_PAGE = Markup(
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    '<link rel="icon" href="data:,"><link rel="stylesheet" href="docs/swagger-ui.css">'
    '<script defer src="docs/swagger-ui-bundle.js"></script>'
    '<script defer src="docs/api-browser.js"></script>'
    '</head><body><div id="api-browser"></div></body></html>'
)


def add_api_browser(app: FastAPI, messages: Messages) -> None:
    """Add `/docs` with its assets, and `/openapi.json`; they need no token."""

    # Cached, because it takes some milliseconds of CPU and is served without a token.
    @cache
    def document(root_path: str) -> bytes:
        return bytes(JSONResponse(complete_document(app.openapi(), messages, root_path)).body)

    async def openapi(request: Request) -> Response:
        content = document(request.scope.get("root_path", ""))
        return Response(content, media_type="application/json")

    async def docs() -> Response:
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
        return HTMLResponse(_PAGE.format(title=app.title), headers=headers)

    app.add_api_route("/openapi.json", openapi, include_in_schema=False)
    app.add_api_route("/docs", docs, include_in_schema=False)
    swagger_ui, own = files("fastapi_offline") / "static", files(__package__) / "static"
    _add_asset(app, swagger_ui / "swagger-ui-bundle.js", "text/javascript")
    _add_asset(app, swagger_ui / "swagger-ui.css", "text/css")
    _add_asset(app, own / "api-browser.js", "text/javascript")


def _add_asset(app: FastAPI, file: Traversable, media_type: str) -> None:
    content = file.read_bytes()
    headers = {"Cache-Control": f"public, max-age={ASSET_CACHE_SECONDS}"}

    async def asset() -> Response:
        return Response(content, media_type=media_type, headers=headers)

    app.add_api_route(f"/docs/{file.name}", asset, include_in_schema=False)


def complete_document(
    document: dict[str, Any], messages: Messages, root_path: str
) -> dict[str, Any]:
    """Add to FastAPI's document: the mount path, the access token, and all problem types."""
    titles = {key: messages.get(key, "en").get("title", "") for key in messages.keys("en")}
    problem_types = dict(sorted(titles.items()))
    scheme = {"type": "http", "scheme": "bearer", "description": "an access token of identity"}
    components = document.get("components", {})
    return {
        **document,
        "info": {**document["info"], "description": _describe_problem_types(problem_types)},
        "servers": [{"url": root_path or "/"}],
        "paths": {path: _add_security(item) for path, item in document["paths"].items()},
        "components": {**components, "securitySchemes": {_SECURITY_SCHEME: scheme}},
        PROBLEM_TYPES_EXTENSION: problem_types,
    }


def _add_security(item: dict[str, Any]) -> dict[str, Any]:
    """Require the access token in the operations of a path that need one."""
    return {
        method: operation
        if operation.get(ACCESS_EXTENSION, "anonymous") == "anonymous"
        else {**operation, "security": [{_SECURITY_SCHEME: []}]}
        for method, operation in item.items()
    }


def _describe_problem_types(problem_types: dict[str, str]) -> str:
    """Return Markdown with a link to the page of each problem type."""
    rows = [f"- [{key}](problems/{key}): {title}" for key, title in problem_types.items()]
    return "\n".join(["Errors are problem documents (RFC 9457) of these types:", "", *rows])
