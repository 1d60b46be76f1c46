"""HTTP protocol of uvicorn with buffered writes and timeouts for slow clients.

Trap: uvicorn writes head and body with one system call each, and one such call costs about as much
as routing a request. It also waits without a limit for a head, for the rest of a body, and for a
client that does not read.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.kit.web.client_address import TrustedProxies
from shared.kit.web.slow_clients import SlowClientMonitor

MAX_BUFFERED_BYTES = 65_536
"""More bytes are written at once, so that a client that does not read is detected."""
MAX_HEAD_BYTES, MAX_HEADERS = 32_768, 150
_TOO_SLOW = "408 Request Timeout", "The request came too slowly. Nothing was done: send it again."
_TOO_LARGE = "431 Request Header Fields Too Large", f"A head has at most {MAX_HEAD_BYTES} bytes."


class BufferedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol on a `BufferedTransport`, watched by a `SlowClientMonitor`.

    `proxies` are the trusted proxies, whose header names the client's address.
    """

    def __init__(
        self,
        *args: Any,
        monitor: SlowClientMonitor | None = None,
        proxies: TrustedProxies | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._monitor = monitor or SlowClientMonitor()
        self._proxies = proxies or TrustedProxies()
        self._in_head = self._unfinished = False
        self._head_bytes = 0
        self._started_at = 0.0
        self._answered_at: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # so does uvicorn's base
        """Wrap the transport in a buffer and start the timeout of the head."""
        super().connection_made(cast("asyncio.Transport", BufferedTransport(transport, self.loop)))
        self._start_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the connection from the monitor."""
        self._end_request()
        self._monitor.record_resumed_response(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes; any byte after a request starts the next one."""
        if not self._unfinished:
            self._start_request()
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._close_with_error(*_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Start a request; pipelined requests start here too."""
        super().on_message_begin()
        if not self._unfinished:
            self._start_request()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header; trailers after the body are dropped, since their number has no limit."""
        if not self._in_head:
            return
        if len(self.headers) >= MAX_HEADERS:
            raise ValueError("too many headers")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the body. Raises `ValueError` for a head that is too large: the response is 400."""
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEAD_BYTES:
            raise ValueError("too large a head")
        self._in_head, self._answered_at = False, None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Record the end of the request."""
        super().on_message_complete()
        self._end_request()

    def on_response_complete(self) -> None:
        """Record the response, although the rest of the request's body may still arrive."""
        if self.cycle.response_complete:  # false for an earlier pipelined request
            self._answered_at = self._monitor.clock()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Record a stalled response: the client does not read it."""
        super().pause_writing()
        self._monitor.record_stalled_response(self, self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Record the end of the stall: the client reads its response again."""
        super().resume_writing()
        self._monitor.record_resumed_response(self)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        # A pipelined request behind an unread response would count against the concurrency limits.
        if self.flow.write_paused:
            app = _run_after_drain(self.flow, app)
        super()._start_asgi_task(cycle, app)

    def is_late(self, now: float) -> bool:
        """See `slow_clients.ClientConnection`."""
        limits = self._monitor.limits
        if self._in_head:
            return now - self._started_at > limits.head_seconds
        if self._answered_at is not None:
            return now - self._answered_at > limits.answered_seconds
        return now - self._started_at > limits.body_seconds

    def client_address(self) -> str:
        """See `slow_clients.ClientConnection`; the peer's address until the head is complete."""
        return self._proxies.client_address(
            {"client": self.client} if self._in_head else self.scope
        )

    def reject(self) -> None:
        """See `slow_clients.ClientConnection`."""
        if self._in_head and self._head_bytes and not self.flow.write_paused:
            self._close_with_error(*_TOO_SLOW)
        elif self.flow.write_paused:
            self.transport.abort()
        else:
            self.transport.close()

    def _start_request(self) -> None:
        self._in_head = self._unfinished = True
        self._head_bytes, self._answered_at = 0, None
        self._started_at = self._monitor.clock()
        self._monitor.record_start(self)

    def _end_request(self) -> None:
        self._in_head = self._unfinished = False
        self._monitor.record_end(self)

    def _close_with_error(self, status: str, text: str) -> None:
        head = f"HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\n"
        end = f"content-length: {len(text)}\r\nconnection: close\r\n\r\n{text}"
        self.transport.write((head + end).encode())
        self.transport.close()


def _run_after_drain(flow: FlowControl, app: Any) -> Callable[..., Awaitable[None]]:
    async def run(scope: Any, receive: Any, send: Any) -> None:
        await flow.drain()
        await app(scope, receive, send)

    return run


class BufferedTransport:
    """A transport that joins all writes of one iteration of the event loop into one."""

    def __init__(self, inner: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._inner, self._loop = inner, loop
        self._chunks: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Buffer the data; it is written at the end of this iteration of the event loop."""
        if not self._chunks:
            self._loop.call_soon(self.flush)
        self._chunks.append(data)
        self._size += len(data)
        if self._size > MAX_BUFFERED_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write the buffer."""
        chunks, self._chunks, self._size = self._chunks, [], 0
        if chunks:
            self._inner.write(b"".join(chunks))

    def close(self) -> None:
        """Write the buffer, then close the transport."""
        self.flush()
        self._inner.close()

    def __getattr__(self, name: str) -> Any:
        # All other methods are those of the wrapped transport.
        return getattr(self._inner, name)
