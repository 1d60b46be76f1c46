"""The web application of a service: its features' routes, and what all services answer alike."""

from collections.abc import MutableMapping, Sequence
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request

from shared.kit.telemetry.requests import RequestTelemetry
from shared.kit.web.body import BodyGuard
from shared.kit.web.context import Door
from shared.kit.web.documentation import page
from shared.kit.web.messages import Messages
from shared.kit.web.problems import MEDIA_TYPE, Problems
from shared.kit.web.routes import Routes

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}
_PROBLEM = {
    "description": "a problem document (RFC 9457)",
    "content": {
        MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "properties": {
                    name: {"type": "string"} for name in ("type", "title", "help", "instance")
                }
                | {"status": {"type": "integer"}},
            },
            "example": {
                "type": "/problems/not_found",
                "title": "Il n’y a rien ici, ou rien que vous puissiez voir",
                "status": 404,
                "help": "Vérifiez l’adresse.",
            },
        }
    },
}


def web_app(
    name: str, door: Door, features: Sequence[Routes], extra: Sequence[APIRouter] = ()
) -> FastAPI:
    """Build the application that is mounted under `/<name>`."""
    app = FastAPI(
        title=f"Préau {name}",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        responses={"4XX": _PROBLEM, "5XX": _PROBLEM},
    )
    app.state.door = door
    messages = Messages([files(f"services.{name}") / "locale"])
    problems = Problems(app, messages, door.host.telemetry)
    larger: MutableMapping[str, int] = {}
    for routes in features:
        app.include_router(routes.router)
        larger.update(routes.larger)
    for router in extra:
        app.include_router(router)
    _describe(app)
    app.add_middleware(BaseHTTPMiddleware, dispatch=_secure)
    app.add_middleware(BodyGuard, problems=problems, larger=larger)
    app.add_middleware(RequestTelemetry, telemetry=door.host.telemetry, service=name)
    return app


async def _secure(request: Request, following: RequestResponseEndpoint) -> Response:
    answer = await following(request)
    for header, value in _HEADERS.items():
        answer.headers.setdefault(header, value)
    return answer


def _describe(app: FastAPI) -> None:
    async def openapi() -> Response:
        return JSONResponse(app.openapi())

    async def docs() -> Response:
        document: dict[str, Any] = app.openapi()
        return HTMLResponse(page(document))

    app.add_api_route("/openapi.json", openapi, include_in_schema=False)
    app.add_api_route("/docs", docs, include_in_schema=False)
