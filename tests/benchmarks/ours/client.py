"""A load generator in one small process: raw HTTP/1.1 on uvloop, no two requests alike.

`python -m tests.benchmarks.ours.client '<load as JSON>'`; prints one line of JSON. Closed (each
connection sends its next request when it has its answer), or open at `rate` requests a second.
"""

import asyncio
import json
import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

import uvloop

from tests.benchmarks.ours.texts import Texts


@dataclass(frozen=True)
class Load:
    """What to send; `requests` are paths and tokens, taken in turns. Times in seconds."""

    port: int
    requests: str
    connections: int = 32
    warm: float = 1.0
    seconds: float = 4.0
    rate: float = 0.0
    idempotent: bool = False
    stamped: bool = False


class Sender:
    """Builds requests and keeps what came of them."""

    def __init__(self, load: Load, targets: list[dict[str, str]]) -> None:
        self.load = load
        self._texts = Texts()
        self._heads = [
            (
                f"POST {target['path']} HTTP/1.1\r\nhost: 127.0.0.1\r\n"
                f"authorization: Bearer {target['token']}\r\ncontent-type: application/json\r\n"
            ).encode()
            for target in targets
        ]
        self._turn = 0
        self.took: list[float] = []
        self.failed: dict[str, int] = {}
        self.begins = self.ends = 0.0
        self.waiting: deque[float] = deque()
        """Open loop: when requests were due that no connection was free for."""

    def next(self, due: float) -> bytes:
        """Give the next request; `due` rides along when the reader wants to know."""
        head = self._heads[self._turn % len(self._heads)]
        self._turn += 1
        extra = b""
        if self.load.idempotent:
            extra += f"idempotency-key: {uuid4().hex}\r\n".encode()
        if self.load.stamped:
            extra += f"x-correlation-id: {due:.6f}\r\n".encode()
        body = self._texts.next()
        return b"%bcontent-length: %d\r\n%b\r\n%b" % (head, len(body), extra, body)

    def answered(self, status: bytes, due: float, now: float) -> None:
        """Keep how long it took, if it counts."""
        if not self.begins <= now < self.ends:
            return
        if status == b"201":
            self.took.append(now - due)
        else:
            self.failed[status.decode()] = self.failed.get(status.decode(), 0) + 1


class Connection(asyncio.Protocol):
    """One connection: a request, its answer, the next one."""

    def __init__(self, sender: Sender, idle: "deque[Connection]") -> None:
        self._sender, self._idle = sender, idle
        self._buffer = b""
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio's, not its classes.
        self._transport = cast("asyncio.Transport", transport)
        self.ready()

    def ready(self) -> None:
        """Send the next one now, or wait for one that is due."""
        if not self._sender.load.rate:
            self.send(time.time())
        elif self._sender.waiting:
            self.send(self._sender.waiting.popleft())
        else:
            self._idle.append(self)

    def send(self, due: float) -> None:
        self._due = due
        self._transport.write(self._sender.next(due))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        lower = head.lower()
        at = lower.find(b"content-length:")
        length = int(lower[at + 15 :].partition(b"\r\n")[0]) if at >= 0 else 0
        if len(rest) < length:
            return
        self._buffer = b""
        self._sender.answered(head[9:12], self._due, time.time())
        self.ready()

    def connection_lost(self, error: Exception | None) -> None:
        if time.time() < self._sender.ends:
            self._sender.failed["lost"] = self._sender.failed.get("lost", 0) + 1


async def run(load: Load, targets: list[dict[str, str]]) -> dict[str, Any]:
    """Send, and give the figures of the measured seconds."""
    sender = Sender(load, targets)
    idle: deque[Connection] = deque()
    now = time.time()
    sender.begins, sender.ends = now + load.warm, now + load.warm + load.seconds
    loop = asyncio.get_running_loop()
    for _ in range(load.connections):
        await loop.create_connection(lambda: Connection(sender, idle), "127.0.0.1", load.port)
    began = time.process_time()
    if load.rate:
        await _open(load, sender, idle)
    else:
        await asyncio.sleep(sender.ends - time.time())
    took = sorted(sender.took)
    return {
        "count": len(took),
        "seconds": load.seconds,
        "failed": sender.failed,
        "p50": took[len(took) // 2] if took else None,
        "p99": took[int(len(took) * 0.99)] if took else None,
        "client_cpu": (time.process_time() - began) / (load.warm + load.seconds),
    }


async def _open(load: Load, sender: Sender, idle: deque[Connection]) -> None:
    """Send at the rate, however long answers take: who waits is counted from when it was due."""
    due = time.time()
    while due < sender.ends:
        await asyncio.sleep(max(0.0, due - time.time()))
        if idle:
            idle.popleft().send(due)
        else:
            sender.waiting.append(due)
        due += 1 / load.rate
    await asyncio.sleep(0.5)


def main() -> None:
    load = Load(**json.loads(sys.argv[1]))
    with open(load.requests, encoding="utf-8") as file:  # noqa: PTH123  the smallest of starts
        targets = json.load(file)
    print(json.dumps(uvloop.run(run(load, targets))), flush=True)


if __name__ == "__main__":
    main()
