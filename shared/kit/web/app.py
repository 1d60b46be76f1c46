"""Builds the web application of a service: its features' routes inside the common middleware."""

from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig

from shared.kit.core.errors import NotFound, PreauError, Transient
from shared.kit.limiting.route_limits import RouteLimits
from shared.kit.telemetry.request_telemetry import RequestTelemetry
from shared.kit.web.access import AccessGuard
from shared.kit.web.api_browser import add_api_browser
from shared.kit.web.body import BodyGuard
from shared.kit.web.context import AppContext
from shared.kit.web.direct_dispatch import DirectDispatch
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
    """Return the OpenAPI response of a problem document, with this error as its example."""
    message = Messages().get(error.key, LANGUAGES[0])
    example = {
        "type": f"/problems/{error.key}",
        "title": message["title"],
        "status": error.status,
        "help": message["help"],
    }
    schema = {"type": "object", "properties": {**_FIELDS, "status": {"type": "integer"}}}
    return {
        "description": "a problem document (RFC 9457)",
        "content": {MEDIA_TYPE: {"schema": schema, "example": example}},
    }


# Trap: as soon as a tracer provider is global, FastAPI traces too, which doubles every span.
_NO_FASTAPI_TELEMETRY: TelemetryConfig = {
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
    """Build the application that is root_path under `/<name>`.

    `locale` holds the service's `fr.toml` and `en.toml`; default: the folder `locale` of the
    service. Request rates are limited only with both `limits` and `context.rates`.
    `public_docs` serves `/docs` and `/openapi.json` without a token.
    """
    app = FastAPI(
        title=f"Préau {name}",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        responses=_responses(),
        telemetry=_NO_FASTAPI_TELEMETRY,
    )
    app.state.context = context
    messages = Messages([locale or files(f"services.{name}") / "locale"])
    problems = ProblemResponses(app, messages, context.host.telemetry)
    for routes in features:
        _add_routes(app, routes.router)
    for router in extra:
        _add_routes(app, router)
    if public_docs:
        add_api_browser(app, messages)
    _add_middleware(app, name, context, problems, limits)
    return app


def inner_app(*routers: APIRouter) -> FastAPI:
    """Build the application of the inner port, root_path under `/<name>`; it needs no token."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for router in routers:
        app.include_router(router)
    return app


def _add_middleware(
    app: FastAPI,
    name: str,
    context: AppContext,
    problems: ProblemResponses,
    limits: RouteLimits | None,
) -> None:
    telemetry, load_monitor = context.host.telemetry, context.database.load_monitor
    rejections, table = RejectionResponder(problems, telemetry), RouteTable(app.router.routes)
    # A request passes the middleware in reverse order: the last one added comes first.
    app.add_middleware(DirectDispatch, routes=app.router.routes, problems=problems)
    app.add_middleware(WriteConcurrencyLimit, load_monitor=load_monitor, rejections=rejections)
    app.add_middleware(RequestConcurrencyLimit, limits=load_monitor.limits, rejections=rejections)
    app.add_middleware(BodyGuard, problems=problems)
    if limits is not None and context.rates is not None:
        app.add_middleware(RequestRateLimit, limits=limits, rates=context.rates, problems=problems)
    app.add_middleware(AccessGuard, problems=problems)
    app.add_middleware(LoadShedder, load_monitor=load_monitor, rejections=rejections, table=table)
    app.add_middleware(ErrorBoundary, problems=problems)
    app.add_middleware(RequestTelemetry, telemetry=telemetry, service=name)


def _responses() -> dict[int | str, dict[str, Any]]:
    return {"4XX": _problem(NotFound), "5XX": _problem(Transient)}


def _add_routes(app: FastAPI, router: APIRouter) -> None:
    """Add a feature's routes to the application's router, instead of including its router.

    Trap: an included router stays a router, so each request would be matched twice.
    """
    for route in router.routes:
        if isinstance(route, APIRoute):
            route.responses = {**_responses(), **route.responses}
        app.router.routes.append(route)
