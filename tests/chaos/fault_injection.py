"""Faults inside a pod, controlled only by commands on its standard input.

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
from shared.kit.core.bus import Partition, SubscriptionConfig
from shared.kit.core.unit_of_work import Delivery
from shared.kit.database.database import SqlUnit
from shared.kit.inbox.attempt import BatchAttempt, Fenced
from shared.kit.inbox.consumer import BatchConsumer
from shared.kit.inbox.decode import DecodedRecord
from shared.kit.inbox.preparation import Preparation
from shared.kit.runtime import runner as run
from tests.chaos import applied_log as witness
from tests.chaos.disabled_guards import replace_methods
from tests.chaos.log_counts import FENCED, LINE_PREFIX, REVOKED

ORPHANED_STATUS = 70
KEEPALIVE_SECONDS = 1.0
"""Seconds between two words of a slow batch to its server."""
PR_SET_PDEATHSIG = 1
POLL_LIMIT_VARIABLE = "FAULTS_POLL_LIMIT"
"""The variable, which no real pod reads, with the seconds that a batch may take."""


class InjectedBug(Exception):
    """A handler with a bug in it."""


@dataclass
class StepAction:
    """What happens at a step, and how many times it is still passed without."""

    nth: int
    act: str
    seconds: float = 0.0


@dataclass
class InjectedFaults:
    """The faults of this process."""

    step_actions: dict[str, StepAction] = field(default_factory=dict)
    slow_seconds: float = 0.0
    bug_modulus: int = 0
    pass_counts: dict[str, int] = field(default_factory=dict)

    def run_command(self, line: dict[str, Any]) -> None:
        """Apply one command."""
        match line["do"]:
            case "arm":
                trap = StepAction(int(line["nth"]), str(line["act"]), float(line.get("seconds", 0)))
                self.step_actions[str(line["step"])] = trap
            case "slow":
                self.slow_seconds = float(line["seconds"])
            case "bug":
                self.bug_modulus = int(line["modulus"])
            case _:
                self.step_actions, self.slow_seconds, self.bug_modulus = {}, 0.0, 0

    def on_step(self, step: str) -> None:
        """Run the action that is armed for this step, if it is its pass."""
        self.pass_counts[step] = self.pass_counts.get(step, 0) + 1
        trap = self.step_actions.get(step)
        if trap is None:
            return
        trap.nth -= 1
        if trap.nth > 0:
            return
        self.step_actions.pop(step, None)
        print(
            f"FAULT {trap.act} at {step}, pass {self.pass_counts[step]}",
            file=sys.stderr,
            flush=True,
        )
        if trap.act == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(trap.seconds)

    def has_bug(self, delivery: Delivery[Fact]) -> bool:
        """Return whether the bug meets this event."""
        return self.bug_modulus > 0 and delivery.event_id.int % self.bug_modulus == 0


def install_faults() -> InjectedFaults:
    """Watch the failpoints, wrap the reactions, and read commands from standard input."""
    faults = InjectedFaults()
    failpoints.set_watcher(faults.on_step)
    _wrap_reactions(faults)
    if limit := os.environ.pop(POLL_LIMIT_VARIABLE, ""):
        _shorten_poll_limit(float(limit))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    threading.Thread(target=_read_commands, args=(faults,), daemon=True).start()
    return faults


def _wrap_reactions(faults: InjectedFaults) -> None:
    react = BatchAttempt._run_reactions

    async def surrounded(
        self: BatchAttempt, unit: SqlUnit, deliveries: Sequence[Delivery[Fact]]
    ) -> None:
        if faults.slow_seconds and deliveries:
            await _hold_transaction(unit, faults.slow_seconds)
        await react(self, unit, deliveries)
        await witness.record_applied(unit, deliveries)
        # After the effects: what they wrote must go with the failure.
        for delivery in deliveries:
            if faults.has_bug(delivery):
                raise InjectedBug(str(delivery.event_id))

    BatchAttempt._run_reactions = surrounded  # type: ignore[method-assign]  # that is the fault
    _count_fences_and_rebalances()


async def _hold_transaction(unit: SqlUnit, seconds: float) -> None:
    """Be slow, but never idle: the server would end the transaction for that."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        await asyncio.sleep(min(left, KEEPALIVE_SECONDS))
        await unit.connection.execute(sa.text("SELECT 1"))


def _count_fences_and_rebalances() -> None:
    """Log what the suite counts: batches rejected by the fence, and revoked partitions."""
    apply, revoked = BatchConsumer._apply, BatchConsumer.on_revoked

    async def applied(
        self: BatchConsumer, reads: Sequence[DecodedRecord], preparation: Preparation
    ) -> None:
        try:
            await apply(self, reads, preparation)
        except Fenced:
            _log_count(FENCED, self.group, len(reads))
            raise

    async def taken(self: BatchConsumer, partitions: Sequence[Partition]) -> None:
        _log_count(REVOKED, self.group, len(partitions))
        await revoked(self, partitions)

    replace_methods(BatchConsumer, _apply=applied, on_revoked=taken)


def _log_count(event: str, group: str, number: int) -> None:
    print(f"{LINE_PREFIX}{event} {group} {number}", file=sys.stderr, flush=True)


def _shorten_poll_limit(seconds: float) -> None:
    vars(run)["SubscriptionConfig"] = partial(SubscriptionConfig, max_poll_interval_seconds=seconds)


def _read_commands(faults: InjectedFaults) -> None:
    for line in sys.stdin:
        faults.run_command(json.loads(line))
    os._exit(ORPHANED_STATUS)
