"""Runs the workload for a session and counts its outcomes."""

from collections import Counter
from pathlib import Path

import msgspec

from tests.chaos.platform import Platform
from tests.chaos.session import Workload
from tests.chaos.workload.journal import Journal
from tests.chaos.workload.run import run_workload


def workload_at(rate: float) -> Workload:
    """Return the workload at so many operations a second."""

    async def play(platform: Platform, seed: int, path: Path, seconds: float) -> None:
        journal = Journal(path, f"run-{seed}")
        try:
            await run_workload(platform.urls, platform.seeded, seed, journal, seconds, rate)
        finally:
            journal.close()

    return play


def count_outcomes(journal: Path) -> dict[str, int]:
    """Count operations by their outcome."""
    if not journal.exists():
        return {}
    lines = journal.read_bytes().splitlines()
    return dict(Counter(str(msgspec.json.decode(line)["outcome"]) for line in lines))
