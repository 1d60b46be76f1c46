"""What goes wrong inside a pod: it is told so by lines on its standard input, and by nothing else.

Each line is a JSON object, `{"do": …}`:
`arm` (step, nth, act, seconds) kills the process, or lets it stand still, at the nth time from now
that a failpoint is reached; `slow` (seconds) delays each batch's effects without blocking the
process; `bug` (modulus) makes the effects of each event fail whose id that number divides, after
they are written; `calm` ends all of it. The end of the input ends the process.
"""

import asyncio
import ctypes
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import sqlalchemy as sa

from shared.contracts.event import Fact
from shared.kit.core import failpoints
from shared.kit.core.bus import Partition, Reading
from shared.kit.core.unit_of_work import Delivery
from shared.kit.database.database import SqlUnit
from shared.kit.inbox.attempt import Attempt, Fenced
from shared.kit.inbox.consumer import BatchConsumer
from shared.kit.inbox.decode import Read
from shared.kit.inbox.preparation import Preparation
from shared.kit.runtime import runner as run
from tests.chaos import applied_log as witness
from tests.chaos.disabled_guards import vars_of
from tests.chaos.notes import FENCED, MARK, REVOKED

ORPHANED = 70
STEP = 1.0
"""Seconds between two words of a slow batch to its server."""
PR_SET_PDEATHSIG = 1
LIMIT = "FAULTS_POLL_LIMIT"
"""The variable, which no real pod reads, with the seconds that a batch may take."""


class InjectedBug(Exception):
    """A handler with a bug in it."""


@dataclass
class Trap:
    """What happens at a step, and how many times it is still passed without."""

    nth: int
    act: str
    seconds: float = 0.0


@dataclass
class Armed:
    """The faults of this process."""

    traps: dict[str, Trap] = field(default_factory=dict)
    slow: float = 0.0
    modulus: int = 0
    passed: dict[str, int] = field(default_factory=dict)

    def obey(self, line: dict[str, Any]) -> None:
        """Take one command."""
        match line["do"]:
            case "arm":
                trap = Trap(int(line["nth"]), str(line["act"]), float(line.get("seconds", 0)))
                self.traps[str(line["step"])] = trap
            case "slow":
                self.slow = float(line["seconds"])
            case "bug":
                self.modulus = int(line["modulus"])
            case _:
                self.traps, self.slow, self.modulus = {}, 0.0, 0

    def reached(self, step: str) -> None:
        """Do at this step what was asked for."""
        self.passed[step] = self.passed.get(step, 0) + 1
        trap = self.traps.get(step)
        if trap is None:
            return
        trap.nth -= 1
        if trap.nth > 0:
            return
        self.traps.pop(step, None)
        print(f"FAULT {trap.act} at {step}, pass {self.passed[step]}", file=sys.stderr, flush=True)
        if trap.act == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(trap.seconds)

    def fails(self, delivery: Delivery[Fact]) -> bool:
        """Tell whether the bug meets this event."""
        return self.modulus > 0 and delivery.event_id.int % self.modulus == 0


def arm() -> Armed:
    """Watch the failpoints, surround the reactions, and listen to whoever started this process."""
    armed = Armed()
    failpoints.watch(armed.reached)
    _surround(armed)
    if limit := os.environ.pop(LIMIT, ""):
        _limit(float(limit))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    threading.Thread(target=_listen, args=(armed,), daemon=True).start()
    return armed


def _surround(armed: Armed) -> None:
    react = Attempt._react

    async def surrounded(
        self: Attempt, unit: SqlUnit, deliveries: Sequence[Delivery[Fact]]
    ) -> None:
        if armed.slow and deliveries:
            await _drag(unit, armed.slow)
        await react(self, unit, deliveries)
        await witness.note(unit, deliveries)
        # After the effects: what they wrote must go with the failure.
        for delivery in deliveries:
            if armed.fails(delivery):
                raise InjectedBug(str(delivery.event_id))

    Attempt._react = surrounded  # type: ignore[method-assign]  # that is the fault
    _take_notes()


async def _drag(unit: SqlUnit, seconds: float) -> None:
    """Be slow, but never idle: the server would end the transaction for that."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        await asyncio.sleep(min(left, STEP))
        await unit.connection.execute(sa.text("SELECT 1"))


def _take_notes() -> None:
    """Tell in the log of what the suite counts: batches given up at the fence, and rebalances."""
    apply, revoked = BatchConsumer._apply, BatchConsumer.revoked

    async def applied(self: BatchConsumer, reads: Sequence[Read], preparation: Preparation) -> None:
        try:
            await apply(self, reads, preparation)
        except Fenced:
            _note(FENCED, self.group, len(reads))
            raise

    async def taken(self: BatchConsumer, partitions: Sequence[Partition]) -> None:
        _note(REVOKED, self.group, len(partitions))
        await revoked(self, partitions)

    vars_of(BatchConsumer, _apply=applied, revoked=taken)


def _note(what: str, whose: str, number: int) -> None:
    print(f"{MARK}{what} {whose} {number}", file=sys.stderr, flush=True)


def _limit(seconds: float) -> None:
    vars(run)["Reading"] = partial(Reading, poll_limit=seconds)


def _listen(armed: Armed) -> None:
    for line in sys.stdin:
        armed.obey(json.loads(line))
    os._exit(ORPHANED)
