"""Importing a module has no side effects: no socket, thread, program or environment variable."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

from tests.architecture.source_tree import ROOT, SERVICES, dotted, python_files

RECORDER = Path(__file__).with_name("import_recorder.py")


def test_importing_the_product_has_no_side_effects() -> None:
    done = _import(*_modules())
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_side_effects_of_an_import_are_detected(tmp_path: Path) -> None:
    # `services` is a namespace: another folder on the path adds to it.
    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "loud.py").write_text(
        "import os, socket, threading\n"
        "os.getenv('HOME'); os.environ['PATH']; socket.socket().close()\n"
        "threading.Thread(target=print).start()\n"
    )
    output = _import("services.loud", PYTHONPATH=str(tmp_path)).stdout
    for effect in ("environment: HOME", "environment: PATH", "a socket", "a thread"):
        assert f"{effect}\n" in output


def test_the_product_comes_from_this_repository() -> None:
    for name in ("shared", *(f"services.{service}" for service in SERVICES)):
        module = importlib.import_module(name)
        assert Path(str(module.__file__)).is_relative_to(ROOT)


def _modules() -> list[str]:
    """Return all modules except programs and migrations, which are made to be run."""
    return [
        dotted(file)
        for file in python_files("services", "shared")
        if file.stem != "__main__" and "migrations" not in file.parts
    ]


def _import(*modules: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(RECORDER), *modules],
        env=os.environ | environment,
        check=False,
        capture_output=True,
        text=True,
    )
