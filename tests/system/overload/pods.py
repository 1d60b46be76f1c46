"""Pods as their images start them, asked all the while whether they live and are ready."""

import asyncio
import sys
import time
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.workload.http_client import HttpClient, NoResponse
from tests.support.programs import start_child, stop_child
from tests.support.stack_process import REPOSITORY

PROBE_INTERVAL_SECONDS, PROBE_TIMEOUT_SECONDS = 2.0, 5.0
STOP_TIMEOUT_SECONDS = 60.0


@dataclass
class Pod:
    """One process of a service; `probe_failures` counts probe results other than 200."""

    name: str
    service: str
    port: int
    roles: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    probe_failures: Counter[str] = field(default_factory=Counter)
    _process: Process | None = None
    _probing: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def inner_url(self) -> str:
        return f"http://127.0.0.1:{self.environment['PREAU_INNER_PORT']}"

    @property
    def process(self) -> Process:
        assert self._process is not None, f"{self.name} was not started"
        return self._process

    async def start(self, within: float) -> None:
        """Start the pod, wait until it is ready, and start probing."""
        roles = [word for role in self.roles for word in ("--role", role)]
        with self.log.open("ab") as log:
            self._process = await start_child(
                *(sys.executable, "-m", "shared.kit.runtime", self.service, *roles),
                cwd=REPOSITORY,
                env=dict(self.environment) | {"PREAU_PORT": str(self.port)},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + within
        async with HttpClient(timeout_seconds=PROBE_TIMEOUT_SECONDS) as http:
            while await self._says(http, "ready") != 200:
                assert self.process.returncode is None, self.log.read_text()[-2000:]
                assert time.monotonic() < deadline, self.log.read_text()[-2000:]
                await asyncio.sleep(0.2)
        self._probing = asyncio.create_task(self._probe())

    async def stop(self) -> bool:
        """Stop the pod at any stage of its start; False when it had to be killed."""
        if self._probing is not None:
            self._probing.cancel()
        if self._process is None:
            return True
        if self._process.returncode is not None:
            self.probe_failures[f"ended by itself: {self._process.returncode}"] += 1
        return await stop_child(self._process, STOP_TIMEOUT_SECONDS)

    async def _probe(self) -> None:
        async with HttpClient(timeout_seconds=PROBE_TIMEOUT_SECONDS) as http:
            while True:
                for page in ("live", "ready"):
                    status = await self._says(http, page)
                    if status != 200:
                        self.probe_failures[f"{page} {status}"] += 1
                await asyncio.sleep(PROBE_INTERVAL_SECONDS)

    async def _says(self, http: HttpClient, page: str) -> int | str:
        try:
            return (await http.request(self.url, "GET", f"/health/{page}", {})).status
        except NoResponse as lost:
            return str(lost)
