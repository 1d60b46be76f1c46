"""The command of the container image exists and starts."""

import re
import subprocess
import sys

from tests.architecture.source_tree import ROOT


def test_module_run_by_the_image_is_a_command() -> None:
    dockerfile = (ROOT / "deploy" / "docker" / "Dockerfile").read_text(encoding="utf-8")
    (module,) = re.findall(r"exec python -m ([\w.]+)", dockerfile)
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "SERVICES" in done.stdout
    assert "--role" in done.stdout
