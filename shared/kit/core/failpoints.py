"""Named steps at which a test may stop, delay or kill a process: where a crash would hurt most.

Nothing in a deployment can switch them on: no setting, no variable, no route. Only code that calls
`watch` can, and only the fault suite does, which no image contains
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
    "light.noted": "rows and facts of commands that arrived together are noted, nothing is sent",
    "light.committed": "they are committed, nobody has been told",
    "unit.written": "a command's rows and facts are written, not committed",
    "unit.committed": "they are committed, nobody has been told",
}
"""The closed list."""

Watcher = Callable[[str], None]
_watcher: Watcher | None = None


def hit_failpoint(step: str) -> None:
    """Say that this step was reached. Costs a look at one name when nobody watches."""
    if _watcher is not None:
        _watcher(step)


def set_watcher(watcher: Watcher | None) -> None:
    """Call this at every step from now on; None ends it. For the fault suite only."""
    global _watcher  # noqa: PLW0603  one process, one watcher
    _watcher = watcher
