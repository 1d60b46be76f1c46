"""Responses are written in one piece."""

import asyncio
from dataclasses import dataclass, field

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse

from shared.kit.web.http_protocol import MAX_BUFFERED_BYTES, BufferedHttpProtocol, BufferedTransport


@dataclass
class FakeTransport:
    """A transport that records its calls."""

    calls: list[bytes] = field(default_factory=list)

    def write(self, data: bytes) -> None:
        self.calls.append(data)

    def close(self) -> None:
        self.calls.append(b"closed")

    def is_closing(self) -> bool:
        return b"closed" in self.calls


def buffered(transport: FakeTransport) -> BufferedTransport:
    return BufferedTransport(transport, asyncio.get_running_loop())  # type: ignore[arg-type]  # the methods in use


async def test_writes_of_one_loop_iteration_are_joined_in_order() -> None:
    transport = FakeTransport()
    buffer = buffered(transport)
    buffer.write(b"head ")
    buffer.write("é".encode())
    assert transport.calls == []
    await asyncio.sleep(0)
    buffer.write(b"next")
    await asyncio.sleep(0)
    assert transport.calls == ["head é".encode(), b"next"]


async def test_close_writes_the_buffer_first() -> None:
    transport = FakeTransport()
    buffer = buffered(transport)
    buffer.write(b"last words")
    buffer.close()
    assert buffer.is_closing()
    await asyncio.sleep(0)
    assert transport.calls == [b"last words", b"closed"]


async def test_full_buffer_is_written_at_once() -> None:
    transport = FakeTransport()
    buffer = buffered(transport)
    buffer.write(b"x" * MAX_BUFFERED_BYTES)
    buffer.write(b"y")
    assert [len(data) for data in transport.calls] == [MAX_BUFFERED_BYTES + 1]
    await asyncio.sleep(0)
    assert len(transport.calls) == 1


@pytest.mark.allow_hosts(["127.0.0.1"])
async def test_server_sends_whole_and_streamed_responses(unused_tcp_port: int) -> None:
    app = FastAPI()

    @app.get("/big")
    async def big() -> Response:
        return Response("é" * 300_000)

    @app.get("/parts")
    async def parts() -> StreamingResponse:
        return StreamingResponse(iter([b"a", b"b" * MAX_BUFFERED_BYTES, b"c"]))

    config = uvicorn.Config(app, port=unused_tcp_port, http=BufferedHttpProtocol, log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  it has no event to wait for
        await asyncio.sleep(0.01)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{unused_tcp_port}") as client:
        for _ in range(2):
            assert (await client.get("/big")).text == "é" * 300_000
            assert (await client.get("/parts")).content == b"a" + b"b" * MAX_BUFFERED_BYTES + b"c"
            assert (await client.get("/nowhere")).status_code == 404
    server.should_exit = True
    await serving
