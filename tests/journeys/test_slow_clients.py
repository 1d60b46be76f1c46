"""Slow clients, and clients without a token, take no capacity from other clients."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import httpx
import pytest
import pytest_asyncio

from shared.kit.runtime.http_server import start_http_servers
from shared.kit.runtime.listen_settings import ListenSettings
from tests.journeys.test_event_loop_stalls import free_port
from tests.support.platform_harness import PlatformHarness

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="session")]
HEAD = "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{more}\r\n"
MAX_CPU_SECONDS = 0.5
"""A generous limit: parsing the body took 16 s; receiving 10 MB without parsing takes much less."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def port(platform: PlatformHarness) -> AsyncIterator[int]:
    listen = ListenSettings(port=free_port(), inner_port=free_port())
    servers = await start_http_servers(list(platform.services.values()), listen)
    yield listen.port
    await servers.stop()


@contextmanager
def open_connections(port: int, number: int, head: str) -> Iterator[None]:
    """Open `number` connections with an incomplete request each: `head` and one byte of body."""
    sockets = []
    try:
        for _ in range(number):
            sockets.append(socket.create_connection(("127.0.0.1", port)))
            sockets[-1].sendall(head.encode() + b" ")
        yield
    finally:
        for connection in sockets:
            connection.close()


@pytest.mark.parametrize("token", ["", "authorization: Bearer {token}\r\n"])
async def test_slow_senders_occupy_no_request_slot(
    platform: PlatformHarness, port: int, token: str
) -> None:
    space = await platform.open_space("zoe")
    authorization = token.format(token=platform.tokens["zoe"])
    head = HEAD.format(
        path="/community/v1/spaces/x/posts", more=f"{authorization}content-length: 900\r\n"
    )
    path, body = f"/community/v1/spaces/{space}/posts", {"title": "Vite", "body": "Me voilà."}
    headers = {"authorization": f"Bearer {platform.tokens['zoe']}"}
    with open_connections(port, 300, head):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await asyncio.sleep(0.5)
            posts = [await client.post(path, json=body, headers=headers) for _ in range(5)]
            reads = [await client.get(path, headers=headers) for _ in range(5)]
    assert [response.status_code for response in (*posts, *reads)] == [201] * 5 + [200] * 5


async def test_many_large_bodies_in_progress_do_not_block_reads(
    platform: PlatformHarness, port: int
) -> None:
    await platform.open_space("zoe")
    head = HEAD.format(path="/community/v1/imports", more="content-length: 9000000\r\n")
    headers = {"authorization": f"Bearer {platform.tokens['zoe']}"}
    with open_connections(port, 510, head):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await asyncio.sleep(0.5)
            response = await client.get("/community/v1/spaces", headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [("/community/v1/imports", 10_000_000, 401), ("/identity/v1/sessions", 1_000_000, 413)],
)
async def test_zeros_without_a_token_cost_no_parsing(
    platform: PlatformHarness, port: int, path: str, size: int, status: int
) -> None:
    zeros = b"[" + b"0," * (size // 2 - 1) + b"0]"
    headers = {"content-type": "application/json"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        begin = time.process_time()
        response = await client.post(path, content=zeros, headers=headers)
        seconds = time.process_time() - begin
    assert response.status_code == status
    assert seconds < MAX_CPU_SECONDS, f"{seconds * 1000:.0f} ms of CPU, client and server"
