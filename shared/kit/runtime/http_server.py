"""HTTP servers of a process: services under `/<name>` on the public port, metrics on the inner."""

import asyncio
import contextlib
import resource
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import BaseRoute, Mount
from starlette.types import Receive, Scope, Send

from shared.contracts.catalogue import EVENTS
from shared.kit.core.errors import NotFound, Transient
from shared.kit.database.overload import QUEUE_RETRY_SECONDS, retry_after_with_jitter
from shared.kit.runtime.listen_settings import ListenSettings
from shared.kit.runtime.runner import RunningService, failed_tasks
from shared.kit.telemetry.noop import NoTelemetry
from shared.kit.web.error_boundary import ErrorBoundary
from shared.kit.web.head import HeadAsGet
from shared.kit.web.health import HealthCheck, health_routes, plain_health_routes
from shared.kit.web.http_protocol import BufferedHttpProtocol
from shared.kit.web.messages import Messages
from shared.kit.web.problems import ProblemResponses
from shared.kit.web.slow_clients import SlowClientMonitor

Checks = dict[str, HealthCheck]
GRACEFUL_SHUTDOWN_SECONDS = 5
"""Time for the current requests to finish at a stop."""
MAX_PENDING_CONNECTIONS = 2048
MAX_OPEN_FILES = 65_536


class UvicornServer(uvicorn.Server):
    """uvicorn without its signal handlers.

    Trap: uvicorn raises a caught signal again after its own stop, which would end our drain.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handlers: `__main__` handles the signals."""
        yield


def public_application(running: Sequence[RunningService]) -> Starlette:
    """Mount every service under its name, and health without details at the root."""
    root, problems = _build_root()
    root.include_router(plain_health_routes(*_checks(running)))
    root.add_api_route("/schemas/{kind}", _schema, include_in_schema=False)
    mounts: list[BaseRoute] = [
        Mount(f"/{name}", app=_ReadinessGate(service, problems), name=name)
        for name, service in _by_name(running)
    ]
    return _mount(mounts, root)


def inner_application(running: Sequence[RunningService]) -> Starlette:
    """Mount the metrics of every service, and health with the result of each check."""
    root, _ = _build_root()
    root.include_router(health_routes(*_checks(running)))
    mounts: list[BaseRoute] = [
        Mount(f"/{name}", app=service.service.inner, name=name)
        for name, service in _by_name(running)
        if service.service.inner is not None
    ]
    return _mount(mounts, root)


def _by_name(running: Sequence[RunningService]) -> list[tuple[str, RunningService]]:
    return [(service.service.name, service) for service in running]


def _build_root() -> tuple[FastAPI, ProblemResponses]:
    root = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    # Requests to the root belong to no service, so they have no spans.
    problems = ProblemResponses(root, Messages(), NoTelemetry())
    root.add_middleware(ErrorBoundary, problems=problems)
    return root, problems


def _mount(mounts: list[BaseRoute], root: FastAPI) -> Starlette:
    routes = [*mounts, Mount("/", app=root, name="root")]
    application = Starlette(routes=routes, middleware=[Middleware(HeadAsGet)])
    # The Location of such a redirect would contain the Host header of the client.
    application.router.redirect_slashes = False
    return application


def _checks(running: Sequence[RunningService]) -> tuple[Checks, Checks, Checks]:
    """Return the checks of startup, liveness and readiness."""
    startup = {name: _check_start_begun(service) for name, service in _by_name(running)}
    live = {name: _check_alive(service) for name, service in _by_name(running)}
    started = {name: _check_started(service) for name, service in _by_name(running)}
    alive = {f"{name}.alive": check for name, check in live.items()}
    return startup, live, {**started, **alive}


async def _schema(kind: str) -> Response:
    """Serve the JSON Schema of an event's data, at the URL that `dataschema` contains."""
    fact = EVENTS.get(kind)
    if fact is None:
        raise NotFound(event=kind)
    return JSONResponse(msgspec.json.schema(fact), media_type="application/schema+json")


class _ReadinessGate:
    """Answers 503 until the service's database was checked."""

    def __init__(self, running: RunningService, problems: ProblemResponses) -> None:
        self._running, self._problems = running, problems
        self._unavailable = ErrorBoundary(self._reject, problems)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to the service, or answer 503."""
        if self._running.database_ready or scope["type"] != "http":
            await self._running.service.http(scope, receive, send)
        else:
            await self._unavailable(scope, receive, send)

    async def _reject(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = self._problems.for_error(
            Request(scope), Transient(retry_after=retry_after_with_jitter(QUEUE_RETRY_SECONDS))
        )
        await response(scope, receive, send)


def _check_started(running: RunningService) -> HealthCheck:
    async def check() -> str | None:
        if running.started:
            return None
        return "; ".join(map(str, running.unavailable.values())) or "not started"

    return check


def _check_start_begun(running: RunningService) -> HealthCheck:
    """Check that the start began. Waiting for a server passes: a restart would not help."""

    async def check() -> str | None:
        return None if running.started or running.unavailable else "not started"

    return check


def _check_alive(running: RunningService) -> HealthCheck:
    async def check() -> str | None:
        subscription = running.subscription
        if subscription is not None and not subscription.alive():
            return f"no poll for {subscription.last_poll_age:.0f} s"
        return failed_tasks(running)

    return check


@dataclass
class HttpServers:
    """The running servers of the public and the inner port."""

    servers: "dict[UvicornServer, asyncio.Task[None]]"
    watch: "asyncio.Task[None]"

    async def stop(self) -> None:
        """Stop accepting requests and finish the current ones."""
        for server in self.servers:
            server.should_exit = True
        await asyncio.gather(*self.servers.values())
        self.watch.cancel()
        await asyncio.wait([self.watch])


async def start_http_servers(
    running: Sequence[RunningService], settings: ListenSettings
) -> HttpServers:
    """Start both servers; return when they answer requests. Raises OSError for a used port."""
    _raise_file_limit()
    monitor = SlowClientMonitor(settings.sender_limits)
    protocol = partial(BufferedHttpProtocol, monitor=monitor, proxies=settings.trusted_proxies)
    watch = asyncio.create_task(monitor.watch())
    http_servers = HttpServers({}, watch)
    try:
        for app, host, port in (
            (public_application(running), settings.host, settings.port),
            (inner_application(running), settings.inner_host, settings.inner_port),
        ):
            server = UvicornServer(_config(app, protocol, host, port))
            http_servers.servers[server] = task = asyncio.create_task(server.serve())
            await _wait_until_started(server, task, f"{host}:{port}")
    except BaseException:
        await http_servers.stop()
        raise
    return http_servers


def _raise_file_limit() -> None:
    """Raise the limit of open files, 1,024 by default, to what the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


async def _wait_until_started(
    server: UvicornServer, task: "asyncio.Task[None]", address: str
) -> None:
    while not server.started:
        if task.done():
            raise OSError(f"cannot listen on {address}")
        await asyncio.sleep(0.01)


def _config(app: Starlette, protocol: Any, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol,
        ws="none",
        # Trap: by default uvicorn trusts `X-Forwarded-For` of every client on this machine.
        proxy_headers=False,
        log_config=None,
        server_header=False,
        access_log=False,
        lifespan="off",
        backlog=MAX_PENDING_CONNECTIONS,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_SECONDS,
    )
