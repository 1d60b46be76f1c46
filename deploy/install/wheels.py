"""Build the wheels of the workspace offline, with the locked build backend."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICES = tuple(sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml")))
MEMBERS = ("shared", *(f"services/{name}" for name in SERVICES))


def build_wheel(member: str, into: Path) -> Path:
    """Build the wheel of one member of the workspace and return its path."""
    output = into / member.replace("/", "-")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", output],
        cwd=ROOT / member,
        check=True,
        capture_output=True,
    )
    (wheel,) = output.glob("*.whl")
    return wheel


def uv_command() -> str:
    """Return the uv on the path, else the one that `make` installed in the repository."""
    command = os.environ.get("UV", "uv")
    return str(ROOT / command) if "/" in command else command
