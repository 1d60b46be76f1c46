"""Install each service from its own wheel in its own environment, outside the repository.

With an editable install, or in the repository, every import finds the whole repository. A missing
dependency, or a file that is not in the wheel, fails only here.
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
    """Build every wheel once, then test each service in a separate environment."""
    parser = argparse.ArgumentParser(prog="make alone", description=__doc__)
    parser.add_argument("services", nargs="*", default=SERVICES)
    services = parser.parse_args(arguments).services
    with tempfile.TemporaryDirectory(prefix="preau-alone-") as folder:
        wheels = {member: build_wheel(member, Path(folder) / "dist") for member in MEMBERS}
        failed = [name for name in services if not installs_alone(name, wheels, Path(folder))]
    print(f"{len(services) - len(failed)} passed, {len(failed)} failed")
    sys.exit(1 if failed else 0)


def installs_alone(name: str, wheels: dict[str, Path], folder: Path) -> bool:
    """Install one service and `shared`, import all their modules and no other service."""
    python = folder / name / "bin" / "python"
    for command in commands(name, wheels, python):
        result = subprocess.run(
            command,
            cwd=folder,
            env=clean_environment(),
            check=False,
            capture_output=True,
            text=True,
        )
        if result.returncode:
            print(f"{name}: not alone\n{result.stdout}{result.stderr}")
            return False
    print(f"{name}: alone")
    return True


def commands(name: str, wheels: dict[str, Path], python: Path) -> Iterator[list[str]]:
    """Yield the commands that create the environment, install the wheels and run the probe."""
    home = str(python.parents[1])
    lock = str(ROOT / "requirements.lock")
    member_wheels = [str(wheels["shared"]), str(wheels[f"services/{name}"])]
    yield [uv_command(), "venv", "--quiet", "--python", sys.executable, home]
    install = [uv_command(), "pip", "install", "--quiet", "--no-sources", "--only-binary", ":all:"]
    yield [*install, "--python", str(python), "--constraints", lock, *member_wheels]
    other_services = [other for other in SERVICES if other != name]
    yield [str(python), "-I", str(PROBE), name, *other_services]


def clean_environment() -> dict[str, str]:
    """Return the environment without variables that point to the repository."""
    excluded = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "UV"}
    return {name: value for name, value in os.environ.items() if name not in excluded}


if __name__ == "__main__":
    main()
