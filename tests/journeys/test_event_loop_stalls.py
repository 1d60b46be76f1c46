"""The process answers other requests while it handles the largest request of a route.

A real server gets hostile bodies on every route, without a token and from a pupil. Another thread
requests `/health/live` meanwhile, so any code that blocks the event loop is detected.
"""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from urllib.parse import quote

import pytest
import pytest_asyncio
from fastapi import FastAPI
from uuid_utils.compat import uuid7

from shared.kit.runtime.http_server import start_http_servers
from shared.kit.runtime.listen_settings import ListenSettings
from shared.kit.web.idempotency import IdempotentRoute
from shared.kit.web.route_table import access_of
from tests.support.hostile_requests import ROUTE_INDEPENDENT_BODIES, hostile_bodies
from tests.support.platform_databases import SERVICE_NAMES
from tests.support.platform_harness import PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]
MAX_WAIT_SECONDS = 0.5
"""The target is 0.1 s on an idle machine; the margin allows for other load."""
MAX_TRIES = 3
"""A busy machine may stall once; code that blocks the loop does so every time."""
MAX_ERROR_BYTES = 64_000
SERVER_ERROR = 500
MAX_PATH_CHARACTERS = 30_000


@dataclass
class Target:
    """A running server, and ids for the parameters of paths."""

    port: int
    ids: dict[str, str]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def target(platform: PlatformHarness) -> AsyncIterator[Target]:
    space = await platform.open_space("zoe", "ines")
    content = await platform.publish_post("zoe", space, "Qui ?", "question")
    port, inner_port = free_port(), free_port()
    listen = ListenSettings(port=port, inner_port=inner_port)
    servers = await start_http_servers(list(platform.services.values()), listen)
    yield Target(port, {"space_id": space, "content_id": content})
    await servers.stop()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _routes(platform: PlatformHarness, name: str) -> Iterator[tuple[FastAPI, IdempotentRoute]]:
    app = platform.services[name].service.http
    assert isinstance(app, FastAPI)
    for route in app.router.routes:
        if isinstance(route, IdempotentRoute):
            yield app, route


class LivenessPoller(threading.Thread):
    """Polls `/health/live` and stores the longest wait."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port, self._ended = port, threading.Event()
        self.longest_seconds = 0.0

    def run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        while not self._ended.is_set():
            begin = time.monotonic()
            connection.request("GET", "/health/live")
            connection.getresponse().read()
            self.longest_seconds = max(self.longest_seconds, time.monotonic() - begin)
            time.sleep(0.002)
        connection.close()

    def stop(self) -> float:
        self._ended.set()
        self.join(60)
        return self.longest_seconds


@dataclass(frozen=True)
class HostileRequest:
    """A hostile request, and its name in a failure."""

    name: str
    method: str
    path: str
    token: str | None
    body: bytes | None

    def send(self, port: int) -> tuple[int, int]:
        """Send the request; return the status and the size of the response."""
        headers = {"content-type": "application/json"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request(self.method, self.path, self.body, headers)
            response = connection.getresponse()
            return response.status, len(response.read())
        except (OSError, HTTPException):  # rejected while the client was still sending
            return 0, 0
        finally:
            connection.close()


def _find_stall(port: int, request: HostileRequest) -> str | None:
    """Send the request while `/health/live` is polled; return the failure, or None.

    A stall must occur in all `MAX_TRIES`; a server error and a large response need one.
    """
    failure: str | None = None
    for _ in range(MAX_TRIES):
        poller = LivenessPoller(port)
        poller.start()
        time.sleep(0.01)
        status, size = request.send(port)
        longest_seconds = poller.stop()
        if status >= SERVER_ERROR:
            return f"{request.name}: {status}"
        if status // 100 == 4 and size > MAX_ERROR_BYTES:
            return f"{request.name}: a response of {size} bytes"
        if longest_seconds < MAX_WAIT_SECONDS:
            return None
        failure = f"{request.name}: /health/live waited {longest_seconds:.2f} s"
    return failure


def _build_requests(
    platform: PlatformHarness, target: Target, name: str
) -> Iterator[HostileRequest]:
    for index, (app, route) in enumerate(_routes(platform, name)):
        is_first_route, method = index == 0, min(route.methods or ())
        ids = {
            parameter: target.ids.get(parameter, str(uuid7()))
            for parameter in route.param_convertors
        }
        path = f"/{name}{route.path.format(**ids)}"
        credentials = [("anonymous", None), ("ines", platform.tokens["ines"])]
        if route.gate is not None:
            credentials.append(("anne", platform.tokens["anne"]))
        for user, token in credentials:
            label = f"{user} {method} {path}"
            if method == "GET":
                yield HostileRequest(f"{label} long query", method, _long_query(path), token, None)
                continue
            for number, (pattern, body) in enumerate(hostile_bodies(app, route)):
                refused_unread = token is None and access_of(route) != "anonymous"
                common = (
                    pattern in ROUTE_INDEPENDENT_BODIES
                    and route.gate is None
                    and not is_first_route
                )
                if number == 0 or not (refused_unread or common):
                    yield HostileRequest(f"{label} {pattern}", method, path, token, body)


def _long_query(path: str) -> str:
    fields = "&".join(f"{name}={quote('é')}" for name in ("cursor", "limit", "from", "to"))
    return f"{path}?{fields}" + "&a=1" * ((MAX_PATH_CHARACTERS - len(path)) // 8)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SERVICE_NAMES)
async def test_largest_request_of_each_route_does_not_stall_the_loop(
    platform: PlatformHarness, target: Target, name: str
) -> None:
    for user in ("ines", "anne"):
        platform.tokens[user] = (await platform.sign_in(user))["access_token"]
    requests = list(_build_requests(platform, target, name))
    failures = await asyncio.to_thread(
        lambda: [stall for request in requests if (stall := _find_stall(target.port, request))]
    )
    assert not failures, "\n".join(failures)
    assert len(requests) > 2 * len(list(_routes(platform, name)))
