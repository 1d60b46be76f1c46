"""The contenders' own environments, made by the bench itself: build/bench-env/<peer>.

What is in our lock runs in ours; everything else is installed there, pinned, and never becomes a
dependency of the product.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PEERS = Path(__file__).with_name("peers")
FOLDER = REPOSITORY / "build" / "bench-env"
_STAMP = ".installed"


class NotInstalled(Exception):
    """A contender's packages cannot be installed here; its row gives the reason."""


def python_of(name: str | None) -> str:
    """Return the Python that runs a contender, installed if necessary; None is our own.

    Raises `NotInstalled`.
    """
    if name is None:
        return sys.executable
    requirements = PEERS / name / "requirements.txt"
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    folder = FOLDER / name
    python, stamp = folder / "bin" / "python", folder / _STAMP
    if not (stamp.exists() and stamp.read_text() == digest):
        shutil.rmtree(folder, ignore_errors=True)
        _run("venv", "--quiet", "--python", sys.executable, str(folder))
        _run("pip", "install", "--quiet", "--python", str(python), "-r", str(requirements))
        stamp.write_text(digest)
    return str(python)


def versions_of(name: str) -> dict[str, str]:
    """Return the pinned versions of a contender."""
    lines = (PEERS / name / "requirements.txt").read_text().splitlines()
    pins = (line.split("==") for line in lines if "==" in line)
    return {package.partition("[")[0]: version for package, version in pins}


def _run(*words: str) -> None:
    uv = shutil.which("uv") or str(REPOSITORY / ".tools" / "bin" / "uv")
    try:
        done = subprocess.run(
            [uv, *words],
            cwd=REPOSITORY,
            env=os.environ | {"UV_NO_PROGRESS": "1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(f"{type(error).__name__}: uv {words[0]}") from error
    if done.returncode != 0:
        raise NotInstalled(" ".join(done.stderr.split())[-300:])
