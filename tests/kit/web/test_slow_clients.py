"""Slow clients are closed in time, however they are slow; fast ones beside them are not."""

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
from tests.kit.web.test_sender_limits import Clock

PATIENCE = 5.0
LARGE = 20_000_000
POST = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 900\r\n\r\n"


@dataclass
class Site:
    """A server with a clock of its own, and what its application did."""

    port: int
    clock: Clock
    senders: SlowClientMonitor
    inside: int = 0
    bodies: list[bytes] = field(default_factory=list)
    disconnects: int = 0
    clients: list[asyncio.StreamWriter] = field(default_factory=list)

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        self.inside += 1
        try:
            if scope["path"] == "/":
                await self._read(receive)
            content = b"x" * (LARGE if scope["path"] == "/large" else 2)
            length = (b"content-length", b"%d" % len(content))
            await send({"type": "http.response.start", "status": 200, "headers": [length]})
            await send({"type": "http.response.body", "body": content})
        finally:
            self.inside -= 1

    async def _read(self, receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.disconnects += 1
                return
            body, more = body + message["body"], message["more_body"]
        self.bodies.append(body)

    async def later(self, seconds: float) -> None:
        """Let the server do what it has in hand, and this much time pass."""
        await asyncio.sleep(0.05)
        self.clock.now += seconds
        self.senders.sweep()
        await asyncio.sleep(0.05)


@asynccontextmanager
async def site(port: int, trusted: str = "") -> AsyncIterator[Site]:
    clock = Clock()
    made = Site(port, clock, SlowClientMonitor(SlowClientLimits(per_address=3), clock))
    proxies = TrustedProxies.parse(trusted)
    protocol: Any = partial(BufferedHttpProtocol, monitor=made.senders, proxies=proxies)
    config = uvicorn.Config(
        made, port=port, http=protocol, log_config=None, lifespan="off", proxy_headers=False
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  it tells nobody
        await asyncio.sleep(0.01)
    try:
        yield made
    finally:
        for client in made.clients:
            client.close()
        closed = (each.wait_closed() for each in made.clients)
        await asyncio.gather(*closed, return_exceptions=True)
        server.should_exit = True
        await running


async def dial(at: Site, *parts: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
    at.clients.append(writer)
    for part in parts:
        writer.write(part)
        await writer.drain()
    return reader, writer


async def rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await asyncio.wait_for(reader.read(), PATIENCE)
    except ConnectionError:
        return b"reset"


pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def test_half_head_is_answered_408_and_closed(unused_tcp_port: int) -> None:
    async with site(unused_tcp_port) as at:
        reader, _ = await dial(at, b"POST / HTTP/1.1\r\nhost: a\r\nx: ")
        silent, _ = await dial(at)
        await at.later(9)
        assert not reader.at_eof()
        await at.later(2)
        assert (await rest(reader)).startswith(b"HTTP/1.1 408 ")
        assert await rest(silent) == b"", "nothing was asked, nothing is answered"


async def test_line_ends_between_requests_do_not_keep_a_connection(unused_tcp_port: int) -> None:
    async with site(unused_tcp_port) as at:
        reader, writer = await dial(at, b"GET /small HTTP/1.1\r\nhost: a\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"xx")
        for _ in range(3):
            writer.write(b"\r\n")
            await at.later(4)
        assert b"408" in await rest(reader)


async def test_body_that_nobody_waits_for_is_closed_soon_after_its_answer(
    unused_tcp_port: int,
) -> None:
    async with site(unused_tcp_port) as at:
        reader, writer = await dial(at, POST.replace(b"POST /", b"POST /small"))
        assert b"200 OK" in await reader.readuntil(b"xx")
        await at.later(4)
        writer.write(b" ")
        await at.later(2)
        assert await rest(reader) in {b"", b"reset"}


async def test_body_has_an_end_whoever_reads_it(unused_tcp_port: int) -> None:
    async with site(unused_tcp_port) as at:
        reader, _ = await dial(at, POST)
        await at.later(120)
        assert at.inside == 1
        await at.later(20)
        assert await rest(reader) in {b"", b"reset"}
        assert (at.inside, at.disconnects) == (0, 1)


async def test_many_slow_bodies_of_one_address_leave_room_for_a_fast_one(
    unused_tcp_port: int,
) -> None:
    async with site(unused_tcp_port) as at:
        for _ in range(10):
            await dial(at, POST)
        await at.later(3)
        assert at.inside == 3
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{at.port}") as client:
            assert (await client.post("/", content=b"x" * 1_000_000)).status_code == 200
        assert [len(body) for body in at.bodies] == [1_000_000]


async def test_clients_behind_a_trusted_proxy_are_told_apart(unused_tcp_port: int) -> None:
    def from_client(number: int) -> bytes:
        return POST.replace(b"host: a", b"host: a\r\nx-forwarded-for: 10.0.0.%d" % number)

    async with site(unused_tcp_port, trusted="127.0.0.1") as at:
        for number in range(6):
            await dial(at, from_client(number))
        await at.later(3)
        assert at.inside == 6
    async with site(unused_tcp_port) as at:
        for number in range(6):
            await dial(at, from_client(number))
        await at.later(3)
        assert at.inside == 3, "without trust the header is the client's own words"


async def test_reader_that_does_not_read_keeps_no_connection_and_nothing_behind_it(
    unused_tcp_port: int,
) -> None:
    async with site(unused_tcp_port) as at:
        raw = socket.create_connection(("127.0.0.1", at.port))
        request = b" HTTP/1.1\r\nhost: a\r\n\r\n"
        raw.sendall(b"GET /large" + request + b"GET /small" + request)
        await asyncio.sleep(0.3)
        await at.later(60)
        inside, waiting = at.inside, len(at.senders._unread)
        assert waiting == 1, "what a slow reader left is noticed"
        assert inside <= 1, "a request behind an unread answer is not begun"
        await at.later(2_100)
        await asyncio.sleep(0.1)
        assert (at.inside, len(at.senders._unread)) == (0, 0)
        raw.close()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"GET / HTTP/1.1\r\na: " + b"b" * MAX_HEAD_BYTES,
    ],
)
async def test_large_head_is_refused(unused_tcp_port: int, head: bytes) -> None:
    async with site(unused_tcp_port) as at:
        reader, _ = await dial(at, head)
        assert (await rest(reader))[:12] in {b"HTTP/1.1 400", b"HTTP/1.1 431"}


async def test_headers_after_a_body_are_dropped(unused_tcp_port: int) -> None:
    async with site(unused_tcp_port) as at:
        head = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
        reader, _ = await dial(at, head, b"2\r\nhi\r\n0\r\n", b"a: b\r\n" * 50_000, b"\r\n")
        assert b"200 OK" in await reader.readuntil(b"xx")
        assert at.bodies == [b"hi"]
