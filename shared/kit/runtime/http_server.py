"""Serving: every service under `/<name>` on one port; metrics and detailed health on another."""

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
"""Seconds that requests in hand may take at a stop."""
MAX_PENDING_CONNECTIONS = 2048
MAX_OPEN_FILES = 65_536


class UvicornServer(uvicorn.Server):
    """uvicorn, without its own hold on signals: it raises them again and cuts our drain."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the runner."""
        yield


def public_application(running: Sequence[RunningService]) -> Starlette:
    """Mount every service under its name (a pod has one), and plain health at the root."""
    root, problems = _root()
    root.include_router(plain_health_routes(*_checks(running)))
    root.add_api_route("/schemas/{kind}", _schema, include_in_schema=False)
    doors: list[BaseRoute] = [
        Mount(f"/{each.service.name}", app=_Door(each, problems), name=each.service.name)
        for each in running
    ]
    return _mounted(doors, root)


def inner_application(running: Sequence[RunningService]) -> Starlette:
    """Mount what operators and their machines ask: metrics, and health with each of its checks."""
    root, _ = _root()
    root.include_router(health_routes(*_checks(running)))
    inner: list[BaseRoute] = [
        Mount(f"/{each.service.name}", app=each.service.inner, name=each.service.name)
        for each in running
        if each.service.inner is not None
    ]
    return _mounted(inner, root)


def _root() -> tuple[FastAPI, ProblemResponses]:
    root = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    # Spans are of the services; what is asked here belongs to none.
    problems = ProblemResponses(root, Messages(), NoTelemetry())
    root.add_middleware(ErrorBoundary, problems=problems)
    return root, problems


def _mounted(mounts: list[BaseRoute], root: FastAPI) -> Starlette:
    routes = [*mounts, Mount("/", app=root, name="root")]
    mounted = Starlette(routes=routes, middleware=[Middleware(HeadAsGet)])
    # Its Location would be made of the client's own Host.
    mounted.router.redirect_slashes = False
    return mounted


def _checks(running: Sequence[RunningService]) -> tuple[Checks, Checks, Checks]:
    """Return the checks of startup, of life and of readiness."""
    begun = {each.service.name: _begun(each) for each in running}
    live = {each.service.name: _alive(each) for each in running}
    started = {each.service.name: _started(each) for each in running}
    return begun, live, {**started, **_ready(live)}


async def _schema(kind: str) -> Response:
    """Serve what an event's `dataschema` names: the JSON Schema of its data."""
    fact = EVENTS.get(kind)
    if fact is None:
        raise NotFound(event=kind)
    return JSONResponse(msgspec.json.schema(fact), media_type="application/schema+json")


def _ready(live: dict[str, HealthCheck]) -> dict[str, HealthCheck]:
    return {f"{name}.alive": check for name, check in live.items()}


class _Door:
    """Lets nobody in before the service's database was found to be as it should be."""

    def __init__(self, running: RunningService, problems: ProblemResponses) -> None:
        self._running, self._problems = running, problems
        self._closed = ErrorBoundary(self._refuse, problems)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on, or answer 503."""
        if self._running.database_ready or scope["type"] != "http":
            await self._running.service.http(scope, receive, send)
        else:
            await self._closed(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._problems.for_error(
            Request(scope), Transient(retry_after=retry_after_with_jitter(QUEUE_RETRY_SECONDS))
        )
        await answer(scope, receive, send)


def _started(running: RunningService) -> HealthCheck:
    async def check() -> str | None:
        if running.started:
            return None
        return "; ".join(map(str, running.unavailable.values())) or "not started"

    return check


def _begun(running: RunningService) -> HealthCheck:
    """Tell that the process does what it can: what it waits for, no restart brings back."""

    async def check() -> str | None:
        return None if running.started or running.unavailable else "not started"

    return check


def _alive(running: RunningService) -> HealthCheck:
    async def check() -> str | None:
        subscription = running.subscription
        if subscription is not None and not subscription.alive():
            return f"no poll for {subscription.last_poll_age:.0f} s"
        return failed_tasks(running)

    return check


@dataclass
class HttpServers:
    """The two servers that run beside the services."""

    servers: "dict[UvicornServer, asyncio.Task[None]]"
    watch: "asyncio.Task[None]"

    async def stop(self) -> None:
        """Refuse new requests, finish those in hand."""
        for server in self.servers:
            server.should_exit = True
        await asyncio.gather(*self.servers.values())
        self.watch.cancel()
        await asyncio.wait([self.watch])


async def start_http_servers(running: Sequence[RunningService], at: ListenSettings) -> HttpServers:
    """Listen; returns when requests are answered. Raises OSError when a port is in use."""
    _raise_file_limit()
    senders = SlowClientMonitor(at.sender_limits)
    protocol = partial(BufferedHttpProtocol, senders=senders, trusted=at.trusted_proxies)
    watch = asyncio.create_task(senders.watch())
    serving = HttpServers({}, watch)
    try:
        for app, host, port in (
            (public_application(running), at.host, at.port),
            (inner_application(running), at.inner_host, at.inner_port),
        ):
            server = UvicornServer(_config(app, protocol, host, port))
            serving.servers[server] = task = asyncio.create_task(server.serve())
            await _until_started(server, task, f"{host}:{port}")
    except BaseException:
        await serving.stop()
        raise
    return serving


def _raise_file_limit() -> None:
    """Let the process open as many connections as the system allows: shells begin with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _until_started(server: UvicornServer, task: "asyncio.Task[None]", address: str) -> None:
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
        # Trap: by default uvicorn believes `X-Forwarded-For` of anybody on this machine.
        proxy_headers=False,
        log_config=None,
        server_header=False,
        access_log=False,
        lifespan="off",
        backlog=MAX_PENDING_CONNECTIONS,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_SECONDS,
    )
