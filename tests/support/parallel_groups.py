"""Distribution of a parallel run (`make test-all`): which tests share servers, which start first.

pytest-xdist sends all tests of a group to one worker (`--dist loadgroup`), in the order of
collection. Tests that use the same session-wide servers form one group, so that these servers start
once; every other file is a group of its own.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

PLATFORM, BROKER, REPLAY = "platform", "broker", "replay"
GROUP_OF_FIXTURE = {"platform": PLATFORM, "stack_addresses": BROKER, "past": REPLAY}
GROUP_OF_FOLDER = {"tests/kit/bus": BROKER}
"""Folders whose tests ask for their servers only at run time."""
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


def arrange(items: list[pytest.Item], root: Path) -> None:
    """Mark each test with its group, and sort the groups: the longest first, the quick ones last.

    The order within a group stays: some tests build on data of earlier ones.
    """
    system_groups = {group_of(item, root) for item in items if is_system(item)}
    ranks = {
        item.nodeid: rank(group_of(item, root), system_groups, LONGEST_FIRST) for item in items
    }
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group_of(item, root)))
    items.sort(key=lambda item: ranks[item.nodeid])


def is_system(item: pytest.Item) -> bool:
    """Return whether the test needs real servers or takes long."""
    return item.get_closest_marker("system") is not None


def group_of(item: pytest.Item, root: Path) -> str:
    """Return the name of the group: of the shared servers, otherwise the test's file."""
    path = item.path.relative_to(root)
    if is_system(item):
        for fixture, group in GROUP_OF_FIXTURE.items():
            if fixture in getattr(item, "fixturenames", ()):
                return group
        if path.parent.as_posix() in GROUP_OF_FOLDER:
            return GROUP_OF_FOLDER[path.parent.as_posix()]
    return path.as_posix()


def rank(group: str, system_groups: set[str], longest: Sequence[str]) -> int:
    """Return the sort key of a group: listed ones, other system tests, quick tests, `ALONE`."""
    if group in longest:
        return longest.index(group)
    if group in ALONE:
        return len(longest) + 2
    return len(longest) + (group not in system_groups)
