"""A server under load: it runs in one process, the load generator in another."""

import asyncio
import json
import os
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.contest import Failed, last_words, launch, profiler, started
from tests.benchmarks.environments import REPOSITORY
from tests.support.programs import start_child

READY_WITHIN = 40
SAMPLED = 5
"""Seconds of a profile; about as long as a load lasts."""
MOST_REFUSED = 5
"""Per cent of 503, which an overloaded service may answer; they do not count as requests done."""
CLIENT = "tests.benchmarks.ours.client"


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
        return port


@asynccontextmanager
async def serving(
    command: Sequence[str],
    environment: Mapping[str, str],
    port: int,
    log: Path,
    *,
    profile: bool = False,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a server until left; give its process once it answers. Raises `FailedBatch`."""
    async with started(command, log, environment) as process:
        await _until_ready(process, port, log)
        sampling = None
        if profile:
            words = [*profiler(log), "--pid", str(process.pid), "--duration", str(SAMPLED)]
            sampling = await start_child(*words, cwd=REPOSITORY)
        yield process
        if sampling is not None:
            await sampling.wait()


async def _until_ready(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    for _ in range(READY_WITHIN * 10):
        if process.returncode is not None:
            raise Failed(f"did not start: {last_words(log)}")
        if await asyncio.to_thread(_answers, port):
            return
        await asyncio.sleep(0.1)
    raise Failed(f"not ready after {READY_WITHIN} s")


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def processor_time(process: asyncio.subprocess.Process) -> float | None:
    """Return the processor seconds of a process so far; None where `/proc` is missing."""
    try:
        stat = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def load(python: str, options: Mapping[str, Any], log: Path) -> dict[str, Any]:
    """Send the load; give what the client measured, `refused` in % of all answers.

    Raises `FailedBatch` when answers were wrong, or many were refused.
    """
    measured = await launch(python, CLIENT, json.dumps(options), log)
    refused = measured["failed"].pop("503", 0)
    measured["refused"] = 100 * refused / max(1, refused + measured["count"])
    if measured["failed"] or not measured["count"] or measured["refused"] > MOST_REFUSED:
        raise Failed(f"answers: {measured['failed']}, refused: {refused}")
    return measured
