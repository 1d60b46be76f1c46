"""Failpoints: named steps at which a test may stop, delay or kill a process.

A deployment cannot switch them on: there is no setting, variable or route for it. Only code that
calls `set_watcher` can, and only the chaos suite does, which no image contains
(tests/kit/core/test_failpoints.py).
"""

from collections.abc import Callable

FAILPOINTS = {
    "batch.polled": "a batch of records was handed over, nothing is written",
    "batch.opened": "its transaction is open",
    "batch.claimed": "its event ids are in the inbox, not committed",
    "batch.reacted": "its effects are written, not committed",
    "batch.moved": "its positions are moved, not committed",
    "batch.committed": "its transaction is committed, its offsets are not",
    "offsets.committed": "its offsets are committed",
    "parked.reacted": "a parked event is applied, not committed",
    "parked.committed": "a parked event is applied and committed",
    "relay.read": "a batch of the outbox is read, nothing is sent",
    "relay.sent": "it is acknowledged by the broker, not deleted",
    "relay.deleted": "it is deleted",
    "group_commit.recorded": "rows and events of a batched unit are recorded, nothing is sent",
    "group_commit.committed": "they are committed, no command has returned",
    "unit.written": "a command's rows and events are written, not committed",
    "unit.committed": "they are committed, the command has not returned",
}
"""The closed list."""

Watcher = Callable[[str], None]
_watcher: Watcher | None = None


def hit_failpoint(step: str) -> None:
    """Call the watcher with this step; without a watcher it costs one comparison."""
    if _watcher is not None:
        _watcher(step)


def set_watcher(watcher: Watcher | None) -> None:
    """Call `watcher` at every step from now on; None ends it. For the chaos suite only."""
    global _watcher  # noqa: PLW0603  one process, one watcher
    _watcher = watcher
