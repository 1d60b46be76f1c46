"""What an image starts is there, and starts."""

import re
import subprocess
import sys

from tests.architecture.tree import ROOT


def test_the_module_that_an_image_runs_is_a_command() -> None:
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
