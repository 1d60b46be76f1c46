"""Failpoints: a closed list, every step reached somewhere, and no way to switch them on."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.kit.core import failpoints

REPOSITORY = Path(__file__).resolve().parents[3]
SHIPPED = [p for f in ("shared", "services", "deploy") for p in (REPOSITORY / f).rglob("*.py")]
ITSELF = REPOSITORY / "shared/kit/core/failpoints.py"
REACHED = re.compile(r'\bhit_failpoint\("([^"]+)"\)')


@pytest.fixture(autouse=True)
def _nobody_watches() -> Iterator[None]:
    yield
    failpoints.set_watcher(None)


def test_every_step_is_told_of_once_and_no_other() -> None:
    told = [name for path in SHIPPED for name in REACHED.findall(path.read_text())]

    assert sorted(told) == sorted(failpoints.FAILPOINTS)


def test_nothing_that_is_deployed_can_switch_them_on() -> None:
    knowing = {
        path.relative_to(REPOSITORY).as_posix()
        for path in SHIPPED
        if path != ITSELF
        and re.search(r"failpoints(?! import hit_failpoint\n)|\b_watcher\b", path.read_text())
    }

    assert knowing == set()
    assert "environ" not in ITSELF.read_text()


def test_no_image_holds_the_tests_that_can() -> None:
    image = (REPOSITORY / "deploy/docker/Dockerfile").read_text()

    assert "tests" not in image


def test_a_watcher_hears_every_step_until_it_is_taken_away() -> None:
    heard: list[str] = []
    failpoints.set_watcher(heard.append)
    failpoints.hit_failpoint("relay.sent")
    failpoints.set_watcher(None)
    failpoints.hit_failpoint("relay.sent")

    assert heard == ["relay.sent"]
