"""Answers leave in one piece: uvicorn writes head and body apart, a call of the system for each.

Each such call costs about as much as routing a request, and wakes the reader for half an answer.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST = 65_536
"""Bytes that are kept back: more is written at once, so that a slow reader is noticed."""


class OneWrite(HttpToolsProtocol):
    """uvicorn's own protocol, on a transport that writes once a turn of the loop."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # theirs too
        """Put the transport in between."""
        super().connection_made(cast("asyncio.Transport", Corked(transport, self.loop)))


class Corked:
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
        if self._size > MOST:
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
