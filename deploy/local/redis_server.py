"""A real redis-server, from the binary inside a Maven artifact."""

import asyncio
from pathlib import Path

from deploy.local.errors import StackError
from deploy.local.servers import Program, Server

HOST = "127.0.0.1"


def url(port: int) -> str:
    """Give the URL of its first database."""
    return f"redis://{HOST}:{port}/0"


def server(home: Path, binary: Path, port: int, *, fast: bool) -> Program:
    """Describe the server; `fast` keeps nothing on disk."""
    folder = home / "redis"
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError:
        message = f"{folder} is not a folder: remove it."
        raise StackError(message) from None
    settings = {
        "bind": HOST,
        "port": str(port),
        "appendonly": "no" if fast else "yes",
        "save": "",
    }
    options = [word for name, value in settings.items() for word in (f"--{name}", value)]
    return Program(
        name="Redis",
        command=[str(binary), *options],
        folder=folder,
        log=home / "logs" / "redis.log",
    )


async def until_ready(port: int, running: Server) -> None:
    """Return when it has loaded its data and answers."""
    while not await _answers(port):
        running.check()
        await asyncio.sleep(0.02)


async def _answers(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    try:
        writer.write(b"PING\r\n")
        return (await asyncio.wait_for(reader.readline(), 2)).startswith(b"+PONG")
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
