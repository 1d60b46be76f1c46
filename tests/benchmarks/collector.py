"""A collector of telemetry that takes everything and keeps nothing; it also serves public keys."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Sink:
    """The address of the collector, and the number of pushes that it received."""

    port: int
    taken: int = 0

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables with which a service pushes to the collector."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}"}

    @property
    def jwks_url(self) -> str:
        """Where the keys are, in identity's stead."""
        return f"http://127.0.0.1:{self.port}/jwks.json"


@contextmanager
def collector(jwks: bytes = b"{}") -> Iterator[Sink]:
    """Take pushes until left."""
    sink = Sink(0)

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            sink.taken += 1
            self._answer(b"")

        def do_GET(self) -> None:
            self._answer(jwks)

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002  its name

    server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
    sink.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
