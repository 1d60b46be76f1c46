"""Failpoints: a closed list, every step reached somewhere, and no way to switch them on."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.kit.core import failpoints

REPOSITORY = Path(__file__).resolve().parents[3]
DEPLOYED_FILES = [
    p for f in ("shared", "services", "deploy") for p in (REPOSITORY / f).rglob("*.py")
]
FAILPOINTS_FILE = REPOSITORY / "shared/kit/core/failpoints.py"
HIT = re.compile(r'\bhit_failpoint\("([^"]+)"\)')


@pytest.fixture(autouse=True)
def _remove_watcher() -> Iterator[None]:
    yield
    failpoints.set_watcher(None)


def test_every_failpoint_is_hit_at_one_place() -> None:
    steps = [name for path in DEPLOYED_FILES for name in HIT.findall(path.read_text())]

    assert sorted(steps) == sorted(failpoints.FAILPOINTS)


def test_deployed_code_cannot_set_a_watcher() -> None:
    files = {
        path.relative_to(REPOSITORY).as_posix()
        for path in DEPLOYED_FILES
        if path != FAILPOINTS_FILE
        and re.search(r"failpoints(?! import hit_failpoint\n)|\b_watcher\b", path.read_text())
    }

    assert files == set()
    assert "environ" not in FAILPOINTS_FILE.read_text()


def test_image_contains_no_tests() -> None:
    image = (REPOSITORY / "deploy/docker/Dockerfile").read_text()

    assert "tests" not in image


def test_watcher_is_called_until_it_is_removed() -> None:
    steps: list[str] = []
    failpoints.set_watcher(steps.append)
    failpoints.hit_failpoint("relay.sent")
    failpoints.set_watcher(None)
    failpoints.hit_failpoint("relay.sent")

    assert steps == ["relay.sent"]
