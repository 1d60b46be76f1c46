"""Wheels of the workspace, built offline with the locked build backend."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICES = tuple(sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml")))
MEMBERS = ("shared", *(f"services/{name}" for name in SERVICES))


def build_wheel(member: str, into: Path) -> Path:
    """Build the wheel of one member of the workspace and return its path."""
    made_in = into / member.replace("/", "-")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", made_in],
        cwd=ROOT / member,
        check=True,
        capture_output=True,
    )
    (wheel,) = made_in.glob("*.whl")
    return wheel


def uv_command() -> str:
    """Name the uv that `make` found, or brought into the repository."""
    named = os.environ.get("UV", "uv")
    return str(ROOT / named) if "/" in named else named
