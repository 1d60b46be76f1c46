"""A light HTTP/1.1 client: the workload shares two cores with the servers.

On httptools, which the servers use too; about a tenth of what a request costs with httpx.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self, cast
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpResponseParser

TIMEOUT_SECONDS = 10.0
"""Seconds that a request may take, connecting and all."""
REUSE_SECONDS = 2.0
"""Seconds that an idle connection is used again; the servers close theirs after five."""
HostPort = tuple[str, int]


class NoResponse(Exception):
    """No response was received; the request may have been executed."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer: a status, the headers by their small names, the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")


class _Connection(asyncio.Protocol):
    """One connection, which carries one request at a time."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._transport: asyncio.Transport | None = None
        self._response: asyncio.Future[HttpResponse] | None = None
        self.idle_since = 0.0
        self.usable = True

    @property
    def busy(self) -> bool:
        return self._response is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's own is none of asyncio's family.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(f"the connection was lost: {error or 'closed'}")

    def data_received(self, data: bytes) -> None:
        if self._response is None:
            self._fail("a response without a request")
            return
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            self._fail(f"what came back is not HTTP: {error}")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        future, self._response = self._response, None
        self.usable = self.usable and self._parser.should_keep_alive()
        self.idle_since = time.monotonic()
        if future is not None and not future.done():
            status = self._parser.get_status_code()
            future.set_result(HttpResponse(status, self._headers, b"".join(self._body)))

    async def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> HttpResponse:
        assert self._transport is not None
        self._response = asyncio.get_running_loop().create_future()
        self._parser = HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{method} {path} HTTP/1.1\r\nhost: {self._host}\r\n{lines}"
        length = f"content-length: {len(body)}\r\n\r\n"
        self._transport.write((head + length).encode("latin-1") + body)
        return await self._response

    def close(self) -> None:
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, reason: str) -> None:
        self.close()
        future, self._response = self._response, None
        if future is not None and not future.done():
            future.set_exception(NoResponse(reason))


@dataclass
class HttpClient:
    """Asks, over as few connections as are needed at once; `async with` closes them."""

    timeout_seconds: float = TIMEOUT_SECONDS
    _idle: dict[HostPort, list[_Connection]] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for connections in self._idle.values():
            for connection in connections:
                connection.close()

    async def request(
        self, url: str, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> HttpResponse:
        """Send a request once, without a retry. Raises `NoResponse`."""
        parts = urlsplit(url)
        address = (parts.hostname or "", parts.port or 80)
        connection = None
        try:
            async with asyncio.timeout(self.timeout_seconds):
                connection = self._take_idle(address) or await _connect(address)
                response = await connection.send(method, parts.path + path, headers, body)
        except TimeoutError as error:
            raise NoResponse(f"no answer within {self.timeout_seconds:g} s") from error
        except OSError as error:
            raise NoResponse(f"not reached: {error.strerror or error}") from error
        finally:
            if connection is not None:
                self._put_back(address, connection)
        return response

    def _take_idle(self, address: HostPort) -> _Connection | None:
        idle = self._idle.get(address, [])
        while idle:
            connection = idle.pop()
            if connection.usable and time.monotonic() - connection.idle_since < REUSE_SECONDS:
                return connection
            connection.close()
        return None

    def _put_back(self, address: HostPort, connection: _Connection) -> None:
        if connection.usable and connection.idle_since > 0 and not connection.busy:
            self._idle.setdefault(address, []).append(connection)
        else:
            connection.close()


async def _connect(address: HostPort) -> _Connection:
    loop = asyncio.get_running_loop()
    host, port = address
    _, connection = await loop.create_connection(lambda: _Connection(f"{host}:{port}"), host, port)
    return connection
