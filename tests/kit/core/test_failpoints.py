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


def test_every_failpoint_is_hit_at_one_place() -> None:
    told = [name for path in SHIPPED for name in REACHED.findall(path.read_text())]

    assert sorted(told) == sorted(failpoints.FAILPOINTS)


def test_deployed_code_cannot_set_a_watcher() -> None:
    knowing = {
        path.relative_to(REPOSITORY).as_posix()
        for path in SHIPPED
        if path != ITSELF
        and re.search(r"failpoints(?! import hit_failpoint\n)|\b_watcher\b", path.read_text())
    }

    assert knowing == set()
    assert "environ" not in ITSELF.read_text()


def test_image_contains_no_tests() -> None:
    image = (REPOSITORY / "deploy/docker/Dockerfile").read_text()

    assert "tests" not in image


def test_watcher_is_called_until_it_is_removed() -> None:
    heard: list[str] = []
    failpoints.set_watcher(heard.append)
    failpoints.hit_failpoint("relay.sent")
    failpoints.set_watcher(None)
    failpoints.hit_failpoint("relay.sent")

    assert heard == ["relay.sent"]
