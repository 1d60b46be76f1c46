"""Connections of slow clients are closed in time; those of fast clients stay open."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import pytest
import uvicorn

from shared.kit.web.client_address import TrustedProxies
from shared.kit.web.http_protocol import MAX_HEAD_BYTES, BufferedHttpProtocol
from shared.kit.web.slow_clients import SlowClientLimits, SlowClientMonitor
from tests.kit.web.test_slow_client_limits import Clock

READ_TIMEOUT_SECONDS = 5.0
LARGE_BYTES = 20_000_000
POST = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 900\r\n\r\n"


@dataclass
class Site:
    """A server with a manual clock, and a record of its application's requests."""

    port: int
    clock: Clock
    monitor: SlowClientMonitor
    running_requests: int = 0
    bodies: list[bytes] = field(default_factory=list)
    disconnects: int = 0
    clients: list[asyncio.StreamWriter] = field(default_factory=list)

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        self.running_requests += 1
        try:
            if scope["path"] == "/":
                await self._read(receive)
            content = b"x" * (LARGE_BYTES if scope["path"] == "/large" else 2)
            length = (b"content-length", b"%d" % len(content))
            await send({"type": "http.response.start", "status": 200, "headers": [length]})
            await send({"type": "http.response.body", "body": content})
        finally:
            self.running_requests -= 1

    async def _read(self, receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.disconnects += 1
                return
            body, more = body + message["body"], message["more_body"]
        self.bodies.append(body)

    async def advance(self, seconds: float) -> None:
        """Let the server finish pending work, then advance its clock."""
        await asyncio.sleep(0.05)
        self.clock.now += seconds
        self.monitor.sweep()
        await asyncio.sleep(0.05)


@asynccontextmanager
async def run_site(port: int, trusted: str = "") -> AsyncIterator[Site]:
    clock = Clock()
    running_site = Site(port, clock, SlowClientMonitor(SlowClientLimits(per_address=3), clock))
    proxies = TrustedProxies.parse(trusted)
    protocol: Any = partial(BufferedHttpProtocol, monitor=running_site.monitor, proxies=proxies)
    config = uvicorn.Config(
        running_site, port=port, http=protocol, log_config=None, lifespan="off", proxy_headers=False
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  it has no event to wait for
        await asyncio.sleep(0.01)
    try:
        yield running_site
    finally:
        for client in running_site.clients:
            client.close()
        closed = (client.wait_closed() for client in running_site.clients)
        await asyncio.gather(*closed, return_exceptions=True)
        server.should_exit = True
        await serving


async def open_connection(
    site: Site, *parts: bytes
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    site.clients.append(writer)
    for part in parts:
        writer.write(part)
        await writer.drain()
    return reader, writer


async def read_rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await asyncio.wait_for(reader.read(), READ_TIMEOUT_SECONDS)
    except ConnectionError:
        return b"reset"


pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def test_incomplete_head_gets_408_and_is_closed(unused_tcp_port: int) -> None:
    async with run_site(unused_tcp_port) as site:
        reader, _ = await open_connection(site, b"POST / HTTP/1.1\r\nhost: a\r\nx: ")
        silent_reader, _ = await open_connection(site)
        await site.advance(9)
        assert not reader.at_eof()
        await site.advance(2)
        assert (await read_rest(reader)).startswith(b"HTTP/1.1 408 ")
        assert await read_rest(silent_reader) == b"", "no request, no response"


async def test_line_ends_between_requests_do_not_extend_the_timeout(unused_tcp_port: int) -> None:
    async with run_site(unused_tcp_port) as site:
        reader, writer = await open_connection(site, b"GET /small HTTP/1.1\r\nhost: a\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"xx")
        for _ in range(3):
            writer.write(b"\r\n")
            await site.advance(4)
        assert b"408" in await read_rest(reader)


async def test_body_after_its_response_is_closed_soon(
    unused_tcp_port: int,
) -> None:
    async with run_site(unused_tcp_port) as site:
        reader, writer = await open_connection(site, POST.replace(b"POST /", b"POST /small"))
        assert b"200 OK" in await reader.readuntil(b"xx")
        await site.advance(4)
        writer.write(b" ")
        await site.advance(2)
        assert await read_rest(reader) in {b"", b"reset"}


async def test_unfinished_body_is_closed_after_its_timeout(unused_tcp_port: int) -> None:
    async with run_site(unused_tcp_port) as site:
        reader, _ = await open_connection(site, POST)
        await site.advance(120)
        assert site.running_requests == 1
        await site.advance(20)
        assert await read_rest(reader) in {b"", b"reset"}
        assert (site.running_requests, site.disconnects) == (0, 1)


async def test_slow_bodies_of_an_address_do_not_block_a_fast_one(
    unused_tcp_port: int,
) -> None:
    async with run_site(unused_tcp_port) as site:
        for _ in range(10):
            await open_connection(site, POST)
        await site.advance(3)
        assert site.running_requests == 3
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{site.port}") as client:
            assert (await client.post("/", content=b"x" * 1_000_000)).status_code == 200
        assert [len(body) for body in site.bodies] == [1_000_000]


async def test_clients_behind_a_trusted_proxy_are_counted_separately(unused_tcp_port: int) -> None:
    def from_client(number: int) -> bytes:
        return POST.replace(b"host: a", b"host: a\r\nx-forwarded-for: 10.0.0.%d" % number)

    async with run_site(unused_tcp_port, trusted="127.0.0.1") as site:
        for number in range(6):
            await open_connection(site, from_client(number))
        await site.advance(3)
        assert site.running_requests == 6
    async with run_site(unused_tcp_port) as site:
        for number in range(6):
            await open_connection(site, from_client(number))
        await site.advance(3)
        assert site.running_requests == 3, "without trust the header is ignored"


async def test_unread_response_is_closed_and_blocks_pipelined_requests(
    unused_tcp_port: int,
) -> None:
    async with run_site(unused_tcp_port) as site:
        client = socket.create_connection(("127.0.0.1", site.port))
        request = b" HTTP/1.1\r\nhost: a\r\n\r\n"
        client.sendall(b"GET /large" + request + b"GET /small" + request)
        await asyncio.sleep(0.3)
        await site.advance(60)
        inside, unread = site.running_requests, len(site.monitor._unread)
        assert unread == 1, "the unread response is tracked"
        assert inside <= 1, "a request behind an unread response does not start"
        await site.advance(2_100)
        await asyncio.sleep(0.1)
        assert (site.running_requests, len(site.monitor._unread)) == (0, 0)
        client.close()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"GET / HTTP/1.1\r\na: " + b"b" * MAX_HEAD_BYTES,
    ],
)
async def test_large_head_is_rejected(unused_tcp_port: int, head: bytes) -> None:
    async with run_site(unused_tcp_port) as site:
        reader, _ = await open_connection(site, head)
        assert (await read_rest(reader))[:12] in {b"HTTP/1.1 400", b"HTTP/1.1 431"}


async def test_trailers_after_a_body_are_dropped(unused_tcp_port: int) -> None:
    async with run_site(unused_tcp_port) as site:
        head = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
        reader, _ = await open_connection(
            site, head, b"2\r\nhi\r\n0\r\n", b"a: b\r\n" * 50_000, b"\r\n"
        )
        assert b"200 OK" in await reader.readuntil(b"xx")
        assert site.bodies == [b"hi"]
