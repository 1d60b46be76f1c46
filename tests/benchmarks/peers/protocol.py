"""The protocol between the harness and a contender; uses the standard library only.

The contender is a process of its own, `python -m <module> '<task as JSON>'`. It prints one line of
JSON: how many records the clock saw, and in how many seconds. Everything else goes to stderr.
"""

import json
import os
import sys
import time
from dataclasses import dataclass, field
from typing import Any, NoReturn


@dataclass(frozen=True)
class Task:
    """What to do: read `topic` from its beginning as `group`, `warm` records before the clock."""

    kafka: str
    topic: str
    group: str
    warm: int
    count: int
    database: str = field(default="", repr=False)
    batch: int = 500
    effect: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Records to be read in all."""
        return self.warm + self.count


def task() -> Task:
    """Read the task from the command line."""
    return Task(**json.loads(sys.argv[1]))


class Stopwatch:
    """Starts after `warm` records and stops after `count` more; the contender calls `done`."""

    def __init__(self, warm: int, count: int) -> None:
        self._warm, self._count = warm, count
        self.seen = 0
        self._first = self._last = 0
        self._began = self._ended = 0.0
        self._cpu = 0.0

    def passed(self, number: int) -> bool:
        """Count records whose effects are done; True once the measurement is complete."""
        self.seen += number
        if self._ended:
            return True
        now = time.perf_counter()
        if not self._began:
            if self.seen >= self._warm:
                self._began, self._first = now, self.seen
                self._cpu = -time.process_time()
            return False
        if self.seen >= self._warm + self._count:
            self._ended, self._last = now, self.seen
            self._cpu += time.process_time()
        return bool(self._ended)

    def report(self, **more: object) -> None:
        """Print what was measured."""
        measured = {
            "count": self._last - self._first,
            "seconds": self._ended - self._began,
            "seen": self.seen,
            "cpu": self._cpu,
        }
        print(json.dumps(measured | more), flush=True)

    def report_and_leave(self, **more: object) -> NoReturn:
        """Print the measurement and exit, for a framework whose event loop cannot be left."""
        self.report(**more)
        os._exit(0)
