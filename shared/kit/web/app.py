"""The web application of a service: its features' routes, and what all services answer alike."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig

from shared.kit.core.errors import NotFound, PreauError, Transient
from shared.kit.limiting.route_limits import RouteLimits
from shared.kit.telemetry.request_telemetry import RequestTelemetry
from shared.kit.web.access import AccessGuard
from shared.kit.web.body import BodyGuard
from shared.kit.web.context import AppContext
from shared.kit.web.direct_dispatch import DirectDispatch
from shared.kit.web.documentation import describe, page
from shared.kit.web.error_boundary import ErrorBoundary
from shared.kit.web.messages import LANGUAGES, Messages
from shared.kit.web.problems import MEDIA_TYPE, ProblemResponses
from shared.kit.web.request_rate_limit import RequestRateLimit
from shared.kit.web.route_table import RouteTable
from shared.kit.web.routes import Routes
from shared.kit.web.shedding import LoadShedder, RejectionResponder, RequestConcurrencyLimit
from shared.kit.web.write_concurrency import WriteConcurrencyLimit

_FIELDS = {name: {"type": "string"} for name in ("type", "title", "help", "instance")}


def _problem(error: type[PreauError]) -> dict[str, Any]:
    """Describe a problem document, with the frame's own words for this error as its example."""
    said = Messages().get(error.key, LANGUAGES[0])
    example = {
        "type": f"/problems/{error.key}",
        "title": said["title"],
        "status": error.status,
        "help": said["help"],
    }
    schema = {"type": "object", "properties": {**_FIELDS, "status": {"type": "integer"}}}
    return {
        "description": "a problem document (RFC 9457)",
        "content": {MEDIA_TYPE: {"schema": schema, "example": example}},
    }


# FastAPI would trace by itself, and double every span, as soon as a provider is global.
_SILENT: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


def web_app(  # noqa: PLR0913  the parts of an application, by name
    name: str,
    context: AppContext,
    features: Sequence[Routes],
    extra: Sequence[APIRouter] = (),
    locale: Traversable | None = None,
    limits: RouteLimits | None = None,
    *,
    public_docs: bool = False,
) -> FastAPI:
    """Build the application that is mounted under `/<name>`.

    `locale` holds the service's `fr.toml` and `en.toml`; its own folder of that name if left out.
    Without `limits` and the door's rates, members may ask as often as they like.
    `/docs` and `/openapi.json` are there if they are public.
    """
    app = FastAPI(
        title=f"Préau {name}",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        responses=_responses(),
        telemetry=_SILENT,
    )
    app.state.door = context
    messages = Messages([locale or files(f"services.{name}") / "locale"])
    problems = ProblemResponses(app, messages, context.host.telemetry)
    for routes in features:
        _add(app, routes.router)
    for router in extra:
        _add(app, router)
    if public_docs:
        _describe(app, messages)
    _surround(app, name, context, problems, limits)
    return app


def inner_app(*routers: APIRouter) -> FastAPI:
    """Build the application of the inner port, mounted under `/<name>` too: no token is asked."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for router in routers:
        app.include_router(router)
    return app


def _surround(
    app: FastAPI,
    name: str,
    door: AppContext,
    problems: ProblemResponses,
    limits: RouteLimits | None,
) -> None:
    telemetry, pressure = door.host.telemetry, door.database.load_monitor
    refusals, table = RejectionResponder(problems, telemetry), RouteTable(app.router.routes)
    # The last one added is the first to see a request.
    app.add_middleware(DirectDispatch, routes=app.router.routes, problems=problems)
    app.add_middleware(WriteConcurrencyLimit, pressure=pressure, refusals=refusals)
    app.add_middleware(RequestConcurrencyLimit, limits=pressure.limits, refusals=refusals)
    app.add_middleware(BodyGuard, problems=problems)
    if limits is not None and door.rates is not None:
        app.add_middleware(RequestRateLimit, limits=limits, rates=door.rates, problems=problems)
    app.add_middleware(AccessGuard, problems=problems)
    app.add_middleware(LoadShedder, pressure=pressure, refusals=refusals, table=table)
    app.add_middleware(ErrorBoundary, problems=problems)
    app.add_middleware(RequestTelemetry, telemetry=telemetry, service=name)


def _responses() -> dict[int | str, dict[str, Any]]:
    return {"4XX": _problem(NotFound), "5XX": _problem(Transient)}


def _add(app: FastAPI, router: APIRouter) -> None:
    """Take a feature's routes as the application's own.

    An included router stays one, and looks for the route of a request twice.
    """
    for route in router.routes:
        if isinstance(route, APIRoute):
            route.responses = {**_responses(), **route.responses}
        app.router.routes.append(route)


def _describe(app: FastAPI, messages: Messages) -> None:
    # Made once: the page takes 8 ms of CPU, and anybody may ask for it as often as they like.
    @cache
    def document(mounted: str) -> bytes:
        return bytes(JSONResponse(describe(app.openapi(), messages, mounted)).body)

    @cache
    def drawn(mounted: str) -> bytes:
        return page(describe(app.openapi(), messages, mounted)).encode()

    async def openapi(request: Request) -> Response:
        mounted = request.scope.get("root_path", "")
        return Response(document(mounted), media_type="application/json")

    async def docs(request: Request) -> Response:
        return HTMLResponse(drawn(request.scope.get("root_path", "")))

    app.add_api_route("/openapi.json", openapi, include_in_schema=False)
    app.add_api_route("/docs", docs, include_in_schema=False)
