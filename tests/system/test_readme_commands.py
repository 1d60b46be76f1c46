"""The README's commands, as it writes them, on a platform that runs."""

import subprocess

import pytest

from deploy.local.artifacts import REPOSITORY
from tests.system.conftest import Platform
from tests.system.test_readme import blocks

pytestmark = [pytest.mark.system, pytest.mark.allow_hosts(["127.0.0.1"])]

DUMP = "tests/system/dump"
STAND_INS = {"DIR": DUMP, "NAME": "Vitrine"}
REFUSES = "import stackexchange"
"""Our own dump holds rows that are refused on purpose: exit code 1 says so."""


def _lines() -> list[str]:
    """Return the lines of the block that comes after `make run`."""
    (block,) = [block for block in blocks("sh") if ".venv/bin/preau import" in block]
    return [line for line in block.splitlines() if line.strip()]


def test_what_to_do_next_can_be_done_line_by_line(platform: Platform) -> None:
    lines = _lines()
    assert len(lines) >= 6
    for line in lines:
        typed = line
        for word, stand_in in STAND_INS.items():
            typed = typed.replace(f" {word}", f" {stand_in}")
        done = subprocess.run(  # noqa: S602  typed as a reader types it
            typed,
            shell=True,
            cwd=REPOSITORY,
            env=platform.environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        allowed = {0, 1} if REFUSES in line else {0}
        assert done.returncode in allowed, f"{typed}\n{done.stdout}\n{done.stderr}"
        assert done.stdout.strip(), typed
