"""The HTTP client: requests, responses, connections, time-outs."""

import asyncio
from contextlib import suppress
from typing import Self

import pytest

from tests.chaos.workload.http_client import HttpClient, NoResponse

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class Script:
    """A server that returns scripted responses in turn; then stays silent, or closes."""

    def __init__(self, *answers: bytes, then_close: bool = False) -> None:
        self.url = ""
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self._left, self._then_close = list(answers), then_close
        self._serving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await asyncio.wait(self._serving or {asyncio.create_task(asyncio.sleep(0))}, timeout=5)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await self._answer(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while self._left:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            length = next(line for line in head.split("\r\n") if "content-length" in line)
            self.bodies.append(await reader.readexactly(int(length.partition(":")[2])))
            writer.write(self._left.pop(0))
            await writer.drain()
        if not self._then_close:
            await reader.read()


async def test_sequential_requests_share_one_connection() -> None:
    async with Script(OK, OK) as served, HttpClient() as http:
        first = await http.request(served.url, "POST", "/a/%C3%A9", {"x": "1"}, b"{}")
        second = await http.request(served.url, "GET", "/b", {})

    assert (first.status, first.body, first.content_type) == (200, b"{}", "application/json")
    assert second.status == 200
    assert served.connections == 1
    assert served.heads[0].startswith("POST /a/%C3%A9 HTTP/1.1\r\nhost: 127.0.0.1:")
    assert served.bodies == [b"{}", b""]


async def test_concurrent_requests_use_two_connections() -> None:
    async with Script(OK, OK) as served, HttpClient() as http:
        await asyncio.gather(*(http.request(served.url, "GET", "/", {}) for _ in range(2)))

    assert served.connections == 2


async def test_chunked_body_is_joined_and_closed_connection_dropped() -> None:
    chunked = (
        b"HTTP/1.1 503 X\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    async with Script(chunked, OK) as served, HttpClient() as http:
        response = await http.request(served.url, "GET", "/", {})
        await http.request(served.url, "GET", "/", {})

    assert (response.status, response.body) == (503, b"abcde")
    assert served.connections == 2


@pytest.mark.parametrize(
    "script_bytes", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", b"bonjour"]
)
async def test_incomplete_response_raises_no_response(script_bytes: bytes) -> None:
    async with Script(script_bytes, then_close=True) as served, HttpClient() as http:
        with pytest.raises(NoResponse):
            await http.request(served.url, "GET", "/", {})


async def test_timed_out_connection_is_not_reused() -> None:
    async with Script(b"", OK) as served, HttpClient(timeout_seconds=0.05) as http:
        with pytest.raises(NoResponse, match="no answer within"):
            await http.request(served.url, "GET", "/slow", {})
        response = await http.request(served.url, "GET", "/", {})

    assert response.status == 200
    assert served.connections == 2


async def test_refused_connection_raises_no_response() -> None:
    async with Script() as served:
        url = served.url
    async with HttpClient() as http:
        with pytest.raises(NoResponse, match="not reached"):
            await http.request(url, "GET", "/", {})
