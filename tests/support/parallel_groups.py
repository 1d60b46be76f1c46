"""Distribution of a parallel run (`make test-all`): which tests share servers, which start first.

All tests of a group run in one worker, in the order of collection. Files that use the same
session-wide servers form one group, so that these servers start once; every other file is a group.
Trap: pytest-xdist 3.8 writes its group marks to `Item._nodeid`, which pytest 9.2 does not have, so
`--dist loadgroup` alone separates all tests.
"""

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # has no types

PLATFORM, BROKER, REPLAY = "platform", "broker", "replay"
GROUP_OF_PATH = {
    "tests/system/test_chain.py": PLATFORM,
    "tests/system/test_faults_chain.py": PLATFORM,
    "tests/system/test_readme_commands.py": PLATFORM,
    "tests/system/test_reconcile_cli.py": PLATFORM,
    "tests/system/test_reconcile_nightly.py": PLATFORM,
    "tests/system/test_replay.py": PLATFORM,
    "tests/system/test_replay_shadow.py": PLATFORM,
    "tests/system/test_readme.py": BROKER,
    "tests/kit/bus/": BROKER,
    "tests/kit/tools/replay/": REPLAY,
}
"""Files and folders whose tests share servers; one that is missing here starts its own."""
LONGEST_FIRST = (
    PLATFORM,
    BROKER,
    "tests/system/test_leftovers.py",
    "tests/chaos/test_smoke.py",
    "tests/system/test_stack.py",
    "tests/reactions/test_worst_events.py",
    REPLAY,
    "tests/chaos/checker/test_checking.py",
)
"""A long group that started last would leave the other workers idle."""
ALONE = ("tests/system/test_overload.py",)
"""They measure rates: they start last, when the other workers have nothing left to do."""


class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc]  # a class without types
    """Sends each group to one worker."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """Return the group of a test: the name of its shared servers, otherwise its file."""
    path = nodeid.partition("::")[0]
    matches = (group for prefix, group in GROUP_OF_PATH.items() if path.startswith(prefix))
    return next(matches, path)


def sort_by_group(items: list[pytest.Item]) -> None:
    """Sort tests by group: the longest first, then system tests, quick ones, and `ALONE`.

    The order within a group stays: some tests build on data of earlier ones.
    """
    system_groups = {group_of(i.nodeid) for i in items if i.get_closest_marker("system")}
    items.sort(key=lambda item: _rank(group_of(item.nodeid), system_groups))


def _rank(group: str, system_groups: set[str]) -> int:
    if group in LONGEST_FIRST:
        return LONGEST_FIRST.index(group)
    if group in ALONE:
        return len(LONGEST_FIRST) + 2
    return len(LONGEST_FIRST) + (group not in system_groups)
