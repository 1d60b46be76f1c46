"""Answers leave in one piece."""

import asyncio
from dataclasses import dataclass, field

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse

from shared.kit.web.http_protocol import MAX_BUFFERED_BYTES, BufferedHttpProtocol, BufferedTransport


@dataclass
class Line:
    """A transport that notes what is done with it."""

    done: list[bytes] = field(default_factory=list)

    def write(self, data: bytes) -> None:
        self.done.append(data)

    def close(self) -> None:
        self.done.append(b"closed")

    def is_closing(self) -> bool:
        return b"closed" in self.done


def corked(line: Line) -> BufferedTransport:
    return BufferedTransport(line, asyncio.get_running_loop())  # type: ignore[arg-type]  # as much as is asked


async def test_what_is_written_in_one_turn_leaves_together_and_in_order() -> None:
    line = Line()
    at = corked(line)
    at.write(b"head ")
    at.write("é".encode())
    assert line.done == []
    await asyncio.sleep(0)
    at.write(b"next")
    await asyncio.sleep(0)
    assert line.done == ["head é".encode(), b"next"]


async def test_nothing_is_lost_at_a_close() -> None:
    line = Line()
    at = corked(line)
    at.write(b"last words")
    at.close()
    assert at.is_closing()
    await asyncio.sleep(0)
    assert line.done == [b"last words", b"closed"]


async def test_much_is_written_at_once() -> None:
    line = Line()
    at = corked(line)
    at.write(b"x" * MAX_BUFFERED_BYTES)
    at.write(b"y")
    assert [len(each) for each in line.done] == [MAX_BUFFERED_BYTES + 1]
    await asyncio.sleep(0)
    assert len(line.done) == 1


@pytest.mark.allow_hosts(["127.0.0.1"])
async def test_a_server_answers_as_ever(unused_tcp_port: int) -> None:
    app = FastAPI()

    @app.get("/big")
    async def big() -> Response:
        return Response("é" * 300_000)

    @app.get("/parts")
    async def parts() -> StreamingResponse:
        return StreamingResponse(iter([b"a", b"b" * MAX_BUFFERED_BYTES, b"c"]))

    config = uvicorn.Config(app, port=unused_tcp_port, http=BufferedHttpProtocol, log_config=None)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  it tells nobody
        await asyncio.sleep(0.01)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{unused_tcp_port}") as client:
        for _ in range(2):
            assert (await client.get("/big")).text == "é" * 300_000
            assert (await client.get("/parts")).content == b"a" + b"b" * MAX_BUFFERED_BYTES + b"c"
            assert (await client.get("/nowhere")).status_code == 404
    server.should_exit = True
    await running
