"""HTTP on a connection: answers in one piece, and an end for clients that are slow.

uvicorn writes head and body apart, a call of the system for each: such a call costs about as much
as routing a request. And it waits without end for a head, for the rest of a body, and for a reader.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.kit.web.client_address import TrustedProxies
from shared.kit.web.slow_clients import SlowClientMonitor

MAX_BUFFERED_BYTES = 65_536
"""Bytes that are kept back: more is written at once, so that a slow reader is noticed."""
MAX_HEAD_BYTES, MAX_HEADERS = 32_768, 150
_TOO_SLOW = "408 Request Timeout", "The request came too slowly. Nothing was done: send it again."
_TOO_LARGE = "431 Request Header Fields Too Large", f"A head has at most {MAX_HEAD_BYTES} bytes."


class BufferedHttpProtocol(HttpToolsProtocol):
    """uvicorn's own protocol, on a transport that writes once a turn of the loop.

    `senders` closes slow connections; `trusted` are the proxies that say whose a request is.
    """

    def __init__(
        self,
        *args: Any,
        senders: SlowClientMonitor | None = None,
        trusted: TrustedProxies | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._senders = senders or SlowClientMonitor()
        self._trusted = trusted or TrustedProxies()
        self._in_head = self._unfinished = False
        self._head_bytes = 0
        self._since = 0.0
        self._answered: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # theirs too
        """Put the transport in between; from now on a head is waited for."""
        super().connection_made(cast("asyncio.Transport", BufferedTransport(transport, self.loop)))
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._finish()
        self._senders.record_resumed_response(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; whatever comes between two requests begins the next one."""
        if not self._unfinished:
            self._begin()
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(*_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Begin a request: of several in one piece each begins here."""
        super().on_message_begin()
        if not self._unfinished:
            self._begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header. What comes after the body is dropped, as there may be any number of it."""
        if not self._in_head:
            return
        if len(self.headers) >= MAX_HEADERS:
            raise ValueError("too many headers")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin the body, unless the head was too large. Raises `ValueError`: answered with 400."""
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEAD_BYTES:
            raise ValueError("too large a head")
        self._in_head, self._answered = False, None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the request is here."""
        super().on_message_complete()
        self._finish()

    def on_response_complete(self) -> None:
        """Note that it is answered, even if its body is still on its way."""
        if self.cycle.response_complete:  # not of an earlier one in the same piece
            self._answered = self._senders.clock()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Note that the client does not read."""
        super().pause_writing()
        self._senders.record_stalled_response(self, self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Note that the client reads."""
        super().resume_writing()
        self._senders.record_resumed_response(self)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        # A request behind an answer that nobody reads would keep its place and turn meanwhile.
        if self.flow.write_paused:
            app = _when_read(self.flow, app)
        super()._start_asgi_task(cycle, app)

    def is_late(self, now: float) -> bool:
        """See `senders.ClientConnection`."""
        limits = self._senders.limits
        if self._in_head:
            return now - self._since > limits.head_seconds
        if self._answered is not None:
            return now - self._answered > limits.answered_seconds
        return now - self._since > limits.body_seconds

    def client_address(self) -> str:
        """See `senders.ClientConnection`; before the head is here, it is that of the peer."""
        return self._trusted.client_address(
            {"client": self.client} if self._in_head else self.scope
        )

    def reject(self) -> None:
        """See `senders.ClientConnection`."""
        if self._in_head and self._head_bytes and not self.flow.write_paused:
            self._refuse(*_TOO_SLOW)
        elif self.flow.write_paused:
            self.transport.abort()
        else:
            self.transport.close()

    def _begin(self) -> None:
        self._in_head = self._unfinished = True
        self._head_bytes, self._answered = 0, None
        self._since = self._senders.clock()
        self._senders.record_start(self)

    def _finish(self) -> None:
        self._in_head = self._unfinished = False
        self._senders.record_end(self)

    def _refuse(self, status: str, text: str) -> None:
        head = f"HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\n"
        end = f"content-length: {len(text)}\r\nconnection: close\r\n\r\n{text}"
        self.transport.write((head + end).encode())
        self.transport.close()


def _when_read(flow: FlowControl, app: Any) -> Callable[..., Awaitable[None]]:
    async def later(scope: Any, receive: Any, send: Any) -> None:
        await flow.drain()
        await app(scope, receive, send)

    return later


class BufferedTransport:
    """A transport that keeps what is written until this turn of the loop ends, and joins it."""

    def __init__(self, inner: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._inner, self._loop = inner, loop
        self._kept: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Write it soon, after what was written before it."""
        if not self._kept:
            self._loop.call_soon(self.flush)
        self._kept.append(data)
        self._size += len(data)
        if self._size > MAX_BUFFERED_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what was kept."""
        kept, self._kept, self._size = self._kept, [], 0
        if kept:
            self._inner.write(b"".join(kept))

    def close(self) -> None:
        """Close it, once all is written."""
        self.flush()
        self._inner.close()

    def __getattr__(self, name: str) -> Any:
        # All else a transport can do, it does as ever.
        return getattr(self._inner, name)
