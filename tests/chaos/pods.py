"""Five services as processes, started again when they die, as Kubernetes would."""

import asyncio
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.chaos.fork_client import ForkedProcess, ForkServer

RESTART_DELAY_SECONDS = 0.5
"""Seconds between a death and the next start."""
TERMINATION_GRACE_SECONDS = 60.0
"""Seconds between SIGTERM and SIGKILL (10-operations: terminationGracePeriodSeconds)."""
PROBE_INTERVAL_SECONDS, PROBE_FAILURE_THRESHOLD, STARTUP_PROBE_SECONDS = 5.0, 6, 120.0
"""The liveness probe of a deployment; seconds until it begins in any case."""


@dataclass(frozen=True)
class PodExit:
    """A process that ended."""

    pod: str
    status: int
    expected: bool
    """Whether a fault or `stop` caused the exit."""


@dataclass
class Pod:
    """One pod: its name, its process, and its exits."""

    name: str
    service: str
    port: int
    roles: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    fork_server: ForkServer
    exits: list[PodExit] = field(default_factory=list)
    probe_failures: list[str] = field(default_factory=list)
    """What its liveness probe said each time that it was killed for that."""
    process: ForkedProcess | None = None
    exit_expected: bool = False
    """The next exit is caused by a fault or `stop`."""
    suspended: bool = False
    should_run: bool = True
    restart_delay_seconds: float = 0.0
    """Seconds until it is started again; at least `AGAIN`."""
    _restart_task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The base URL of the pod."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the pod, and restart it after each exit until `stop`."""
        self._restart_task = asyncio.create_task(self._restart_until_stopped())

    async def _restart_until_stopped(self) -> None:
        while self.should_run:
            environment = dict(self.environment) | {"PREAU_PORT": str(self.port)}
            roles = [word for role in self.roles for word in ("--role", role)]
            self.process = await self.fork_server.fork(
                self.name, [self.service, *roles], environment, self.log
            )
            status = await self._wait_for_exit(self.process)
            self.suspended = False
            self.exits.append(PodExit(self.name, status, self.exit_expected or not self.should_run))
            self.exit_expected = False
            if self.should_run:
                await asyncio.sleep(max(RESTART_DELAY_SECONDS, self.restart_delay_seconds))

    async def _wait_for_exit(self, process: ForkedProcess) -> int:
        if not self.should_run:  # `stop` was called during the start
            process.send_signal(signal.SIGTERM)
        probing = asyncio.create_task(self._probe(process))
        try:
            return await process.wait()
        finally:
            probing.cancel()

    async def _probe(self, process: ForkedProcess) -> None:
        """Kill a pod whose liveness probe failed too often in a row."""
        failures = 0
        async with httpx.AsyncClient(trust_env=False, timeout=PROBE_INTERVAL_SECONDS) as client:
            # The startup probe: how long a start may take is another matter.
            began = time.monotonic()
            while time.monotonic() - began < STARTUP_PROBE_SECONDS:
                if await _is_ok(client, f"{self.url}/health/startup"):
                    break
                await asyncio.sleep(1)
            while True:
                await asyncio.sleep(PROBE_INTERVAL_SECONDS)
                if self.suspended:
                    continue
                failure = await _probe_failure(client, f"{self.url}/health/live")
                failures = failures + 1 if failure else 0
                if failures >= PROBE_FAILURE_THRESHOLD:
                    self.probe_failures.append(failure)
                    process.send_signal(signal.SIGKILL)
                    return

    def send_command(self, **command: object) -> None:
        """Send a fault command to the pod; ignored while it does not run."""
        if self.process is not None:
            self.process.send_command(command)

    def send_signal(self, which: signal.Signals) -> None:
        """Send a signal, as a fault."""
        if self.process is not None and self.process.returncode is None:
            if which in {signal.SIGKILL, signal.SIGTERM}:
                self.exit_expected = True
            self.process.send_signal(which)

    @property
    def is_running(self) -> bool:
        """Return whether it has a process that lives."""
        return self.process is not None and self.process.returncode is None

    async def wait_until_ready(self, seconds: float = 90.0) -> bool:
        """Wait until it answers that it is ready; False when it does not in time."""
        deadline = time.monotonic() + seconds
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            while time.monotonic() < deadline:
                if self.is_running and await _is_ok(client, f"{self.url}/health/ready"):
                    return True
                await asyncio.sleep(0.2)
        return False

    async def stop(self) -> float:
        """Stop the pod (SIGTERM, then SIGKILL) and return the seconds that it took."""
        self.should_run = False
        began = time.monotonic()
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self.process.wait(), TERMINATION_GRACE_SECONDS)
            except TimeoutError:
                self.process.send_signal(signal.SIGKILL)
        if self._restart_task is not None:
            await self._restart_task
        return time.monotonic() - began


async def _is_ok(client: httpx.AsyncClient, url: str) -> bool:
    return not await _probe_failure(client, url)


async def _probe_failure(client: httpx.AsyncClient, url: str) -> str:
    """Return why a probe fails; nothing when it does not."""
    try:
        response = await client.get(url)
    except httpx.HTTPError as error:
        return repr(error)
    return "" if response.is_success else response.text
