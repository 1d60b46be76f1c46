"""Tell whether `requirements.lock` still answers the dependencies that the members name.

The lock itself is the constraint of a second resolution: what comes out must be what went in. A
newer version in the index does not make a lock stale; a dependency added, dropped or raised does.
"""

import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.install.wheels import MEMBERS, ROOT

EXPORT = (
    "export --quiet --all-packages --all-groups --no-emit-workspace "
    "--format requirements-txt --no-header --no-annotate --no-hashes"
).split()
PIN = re.compile(r"^[a-z0-9][^\\\n]*", re.MULTILINE | re.IGNORECASE)


def main() -> None:
    """Exit with the differences, or quietly."""
    kept = pins((ROOT / "requirements.lock").read_text())
    found = pins(resolved_again(kept))
    if kept == found:
        return
    changes = difflib.unified_diff(kept, found, "requirements.lock", "needed", n=0, lineterm="")
    print("\n".join(changes))
    sys.exit("requirements.lock is stale: run `make lock` and commit it.")


def pins(lock: str) -> list[str]:
    """Return the pinned versions with their markers, without hashes."""
    return sorted(pin.strip() for pin in PIN.findall(lock))


def resolved_again(constraints: list[str]) -> str:
    """Resolve a copy of the workspace's manifests, held to the given pins."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for member in (".", *MEMBERS):
            (copy / member).mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / member / "pyproject.toml", copy / member)
        manifest = copy / "pyproject.toml"
        held = "\n".join(f"    {quoted(pin)}," for pin in constraints)
        manifest.write_text(
            manifest.read_text().replace(
                "[tool.uv]\n", f"[tool.uv]\nconstraint-dependencies = [\n{held}\n]\n", 1
            )
        )
        done = subprocess.run(
            [os.environ.get("UV", "uv"), *EXPORT],
            cwd=copy,
            check=False,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        sys.exit(f"requirements.lock could not be resolved again:\n{done.stderr}")
    return done.stdout


def quoted(pin: str) -> str:
    """Write a requirement as a TOML string; markers hold single quotes only."""
    return f'"{pin}"'


if __name__ == "__main__":
    main()
