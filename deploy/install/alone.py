"""Prove that each service lives alone: its own wheel, its own environment, no repository around.

An editable install, or the current folder, leaks the whole repository to every import: a forgotten
dependency or a file that the wheel dropped shows only where neither is there.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from deploy.install.wheels import MEMBERS, ROOT, SERVICES, build_wheel, uv_command

PROBE = Path(__file__).with_name("probe.py")


def main(arguments: Sequence[str] | None = None) -> None:
    """Build every wheel once, then try each service in a folder of its own."""
    parser = argparse.ArgumentParser(prog="make alone", description=__doc__)
    parser.add_argument("services", nargs="*", default=SERVICES)
    wanted = parser.parse_args(arguments).services
    with tempfile.TemporaryDirectory(prefix="preau-alone-") as folder:
        wheels = {member: build_wheel(member, Path(folder) / "dist") for member in MEMBERS}
        failed = [name for name in wanted if not installs_alone(name, wheels, Path(folder))]
    print(f"{len(wanted) - len(failed)} passed, {len(failed)} failed")
    sys.exit(1 if failed else 0)


def installs_alone(name: str, wheels: dict[str, Path], folder: Path) -> bool:
    """Install one service beside what it shares, import all of it, and nothing of the others."""
    python = folder / name / "bin" / "python"
    for command in commands(name, wheels, python):
        done = subprocess.run(
            command,
            cwd=folder,
            env=clean_environment(),
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            print(f"{name}: not alone\n{done.stdout}{done.stderr}")
            return False
    print(f"{name}: alone")
    return True


def commands(name: str, wheels: dict[str, Path], python: Path) -> Iterator[list[str]]:
    """Make the environment, fill it, look around in it."""
    home = str(python.parents[1])
    lock = str(ROOT / "requirements.lock")
    pair = [str(wheels["shared"]), str(wheels[f"services/{name}"])]
    yield [uv_command(), "venv", "--quiet", "--python", sys.executable, home]
    fill = [uv_command(), "pip", "install", "--quiet", "--no-sources", "--only-binary", ":all:"]
    yield [*fill, "--python", str(python), "--constraints", lock, *pair]
    others = [other for other in SERVICES if other != name]
    yield [str(python), "-I", str(PROBE), name, *others]


def clean_environment() -> dict[str, str]:
    """Return the environment without what points back into the repository."""
    inside = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "UV"}
    return {name: value for name, value in os.environ.items() if name not in inside}


if __name__ == "__main__":
    main()
