"""A wire that can be cut: `python -m tests.chaos.broker_proxy LISTEN TARGET`.

It forwards every connection to TARGET. Lines on its standard input change the weather: `refuse`
closes all connections and refuses new ones, `hang` lets bytes stand still as a lost network does,
`clear` mends both. It ends with its standard input.
"""

import asyncio
import sys
from contextlib import suppress

import uvloop

HOST = "127.0.0.1"
CHUNK_BYTES = 262_144


class Proxy:
    """All connections, and whether they flow."""

    def __init__(self, listen: int, target: int) -> None:
        self._listen, self._target = listen, target
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def set_mode(self, mode: str) -> None:
        """Change the weather."""
        if mode == "hang":
            self._flows.clear()
        elif mode == "refuse":
            if self._server is not None:
                self._server.close()
                self._server = None
            for writer in tuple(self._writers):
                writer.transport.abort()
        elif mode == "clear":
            self._flows.set()
            if self._server is None:
                self._server = await asyncio.start_server(self._forward, HOST, self._listen)

    async def _forward(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        self._writers.add(back)
        try:
            await self._flows.wait()
            far, onward = await asyncio.open_connection(HOST, self._target)
        except OSError:
            self._writers.discard(back)
            back.transport.abort()
            return
        self._writers.add(onward)
        try:
            await asyncio.gather(self._pump(near, onward), self._pump(far, back))
        finally:
            for writer in (back, onward):
                self._writers.discard(writer)
                writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await source.read(CHUNK_BYTES):
                if not self._flows.is_set():
                    await self._flows.wait()
                sink.write(chunk)
                await sink.drain()
        # One side that closed closes the other: Kafka's clients never half-close.
        sink.close()


async def main(listen: int, target: int) -> None:
    """Forward until the standard input ends."""
    wire = Proxy(listen, target)
    await wire.set_mode("clear")
    print("ready", flush=True)
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        await wire.set_mode(line.decode().strip())
        print("done", flush=True)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
