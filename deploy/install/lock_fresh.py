"""Check that `requirements.lock` matches the dependencies that the members declare.

Resolves again with the lock as constraint, and compares the results. A newer version in the index
does not make the lock stale; a dependency that was added, removed or raised does.
"""

import difflib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.install.wheels import MEMBERS, ROOT, uv_command

EXPORT = (
    *("export", "--quiet", "--all-packages", "--all-groups", "--no-emit-workspace"),
    *("--format", "requirements-txt", "--no-header", "--no-annotate", "--no-hashes"),
)
PIN = re.compile(r"^[a-z0-9][^\\\n]*", re.MULTILINE | re.IGNORECASE)


def main() -> None:
    """Exit with the differences, if there are any."""
    locked = pins((ROOT / "requirements.lock").read_text())
    resolved = pins(resolve_again(locked))
    if locked == resolved:
        return
    changes = difflib.unified_diff(
        locked, resolved, "requirements.lock", "needed", n=0, lineterm=""
    )
    print("\n".join(changes))
    sys.exit("requirements.lock is stale: run `make lock` and commit it.")


def pins(lock: str) -> list[str]:
    """Return the pinned versions with their markers, without hashes."""
    return sorted(pin.strip() for pin in PIN.findall(lock))


def resolve_again(constraints: list[str]) -> str:
    """Resolve a copy of the workspace's manifests with these pins as constraints."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for member in (".", *MEMBERS):
            (copy / member).mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / member / "pyproject.toml", copy / member)
        manifest = copy / "pyproject.toml"
        entries = "\n".join(f'    "{pin}",' for pin in constraints)
        manifest.write_text(
            manifest.read_text().replace(
                "[tool.uv]\n", f"[tool.uv]\nconstraint-dependencies = [\n{entries}\n]\n", 1
            )
        )
        result = subprocess.run(
            [uv_command(), *EXPORT],
            cwd=copy,
            check=False,
            capture_output=True,
            text=True,
        )
    if result.returncode:
        sys.exit(f"requirements.lock could not be resolved again:\n{result.stderr}")
    return result.stdout


if __name__ == "__main__":
    main()
