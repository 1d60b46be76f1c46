"""Print the side effects of importing modules: `python import_recorder.py MODULE…`.

Everything is imported twice: first to load other packages, whose imports may have side effects,
then only the modules of this repository, while the side effects are recorded.
"""

import importlib
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

SIDE_EFFECTS = {
    "socket.__new__": "opened a socket",
    "socket.connect": "connected a socket",
    "socket.getaddrinfo": "asked for an address",
    "subprocess.Popen": "started a program",
    "os.fork": "forked",
    "os.posix_spawn": "started a program",
    "signal.signal": "caught a signal",
}
# Read by pydantic when a model class is created, and by click's gettext for options with a path.
LIBRARY_VARIABLES = {"PYDANTIC_DISABLE_PLUGINS", "LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES"}
recorded: list[str] = []


def record_event(event: str, _arguments: tuple[object, ...]) -> None:
    """Record an audit event that is a side effect, during an import."""
    if recorded and event in SIDE_EFFECTS:
        recorded.append(SIDE_EFFECTS[event])


class RecordedThread(threading.Thread):
    """A thread that records its start: before Python 3.12 there is no audit event for it."""

    def start(self) -> None:
        if recorded:
            recorded.append("started a thread")
        super().start()


class RecordedEnvironment(Mapping[str, str]):
    """The environment, read-only; records each read."""

    def __init__(self, real: Mapping[str, str]) -> None:
        self._real = dict(real)

    def __getitem__(self, name: str) -> str:
        if recorded and name not in LIBRARY_VARIABLES:
            recorded.append(f"read the environment: {name}")
        return self._real[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._real)

    def __len__(self) -> int:
        return len(self._real)


@contextmanager
def recording(module: str) -> Iterator[None]:
    """Print the side effects inside the block."""
    recorded.append(module)
    yield
    for effect in recorded[1:]:
        print(f"{module} {effect}")
    recorded.clear()


def main(modules: Iterable[str]) -> None:
    """Import the modules, remove ours from `sys.modules`, and import them again, recorded."""
    names = list(modules)
    for name in names:
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.split(".")[0] in {"services", "shared"}]:
        del sys.modules[name]
    os.environ = RecordedEnvironment(os.environ)  # type: ignore[assignment]  # noqa: B003 - only reads matter here
    threading.Thread = RecordedThread  # type: ignore[misc]  # for those who import it from now on
    sys.addaudithook(record_event)
    for name in names:
        with recording(name):
            importlib.import_module(name)


if __name__ == "__main__":
    main(sys.argv[1:])
