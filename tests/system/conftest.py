"""One running platform, shared by all tests that use the fixture."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from deploy.local.stack import StackAddresses
from tests.support.programs import bound_to_parent
from tests.support.stack_process import REPOSITORY, addresses_of

READY_SECONDS, STOP_SECONDS = 90, 60


@dataclass(frozen=True)
class Platform:
    """A running platform and its command line."""

    url: str
    home: Path
    environment: Mapping[str, str]

    @property
    def token_file(self) -> Path:
        return self.home / "operator.token"

    @property
    def addresses(self) -> StackAddresses:
        return addresses_of(self.home)

    def command(self, *arguments: str, seconds: float = 180) -> subprocess.CompletedProcess[str]:
        """Run `preau` and give all it said."""
        return self._run(str(Path(sys.executable).with_name("preau")), *arguments, seconds=seconds)

    def module(self, *arguments: str, seconds: float = 180) -> subprocess.CompletedProcess[str]:
        """Run `python -m`."""
        return self._run(sys.executable, "-m", *arguments, seconds=seconds)

    def json(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> Any:
        """Run a `preau` command that prints JSON."""
        done = self.command(*arguments, "--json")
        assert done.returncode in codes, done.stderr
        return msgspec.json.decode(done.stdout)

    def _run(self, *command: str, seconds: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """Three real servers, five services, one port."""
    with tempfile.TemporaryDirectory(prefix="préau-") as folder:
        home, port = Path(folder) / "maison d’été", free_port()
        environment = {name: text for name, text in os.environ.items() if name != "PREAU_URL"}
        environment |= {"PREAU_HOME": str(home), "PREAU_PORT": str(port)}
        running = Platform(f"http://127.0.0.1:{port}", home, environment)
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                bound_to_parent(sys.executable, "-m", "deploy.local", "run"),
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            _until_ready(running.url, process, log)
            yield running
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)


def _until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not _is_ready(url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(log.read_text(errors="replace")[-4000:])
        time.sleep(0.2)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
