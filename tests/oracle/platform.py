"""A running platform: the one on `PREAU_PORT`, or one that is started and stopped here."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.programs import bound_to_parent

ROOT = Path(__file__).parents[2]
PROGRAM = ("-m", "deploy.local", "run")
READY_SECONDS = 120.0
STOP_SECONDS = 60.0
_OK = 200


class NoPlatformError(Exception):
    """There is no platform to ask; says why."""


@dataclass(frozen=True)
class Platform:
    """The environment of a platform's commands."""

    environment: Mapping[str, str]

    def ask(self, *arguments: str) -> Any:
        """Run a `preau` command that prints JSON; its progress goes to our standard error."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("preau")), *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            check=False,
            text=True,
        )
        try:
            return json.loads(done.stdout)
        except json.JSONDecodeError:
            ending = f"preau {' '.join(arguments)} ended with {done.returncode}"
            raise NoPlatformError(f"{ending} and no JSON: {done.stdout[:500]}") from None


@contextmanager
def platform(environment: Mapping[str, str]) -> Iterator[Platform]:
    """Use the platform on `PREAU_PORT` when that is set, else start one and stop it again."""
    port = environment.get("PREAU_PORT")
    if port:
        if not is_ready(port):
            raise NoPlatformError(f"Nothing is ready on port {port} (PREAU_PORT).")
        yield Platform(environment)
        return
    with tempfile.TemporaryDirectory(prefix="préau-oracle-") as folder:
        port = str(_free_port())
        own = {**environment, "PREAU_PORT": port, "PREAU_HOME": str(Path(folder) / "home")}
        own.pop("PREAU_URL", None)
        with _started(own, Path(folder) / "log"):
            yield Platform(own)


@contextmanager
def _started(environment: Mapping[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            bound_to_parent(sys.executable, *PROGRAM),
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(process, environment["PREAU_PORT"], log)
        yield
    finally:
        _stop(process)


def _wait(process: subprocess.Popen[bytes], port: str, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not is_ready(port):
        ended = process.poll() is not None
        if ended or time.monotonic() > deadline:
            why = "ended before it was ready" if ended else "was not ready in time"
            output = log.read_text(encoding="utf-8", errors="replace")[-4000:]
            raise NoPlatformError(f"The platform {why}. It said:\n{output}")
        time.sleep(0.2)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def is_ready(port: str) -> bool:
    """Ask the platform on this machine's port whether all its services are ready."""
    try:
        response = httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=5, trust_env=False)
    except httpx.TransportError:
        return False
    return response.status_code == _OK


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def surroundings() -> Mapping[str, str]:
    """Return this process's environment."""
    return dict(os.environ)
