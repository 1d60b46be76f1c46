"""Import every module of the product with ears open: `python quiet.py module module …`.

Prints one line for each thing that an import did. Everything is imported twice: the first time
loads what others wrote (their imports may be loud), the second only what is ours.
"""

import importlib
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

LOUD = {
    "socket.__new__": "opened a socket",
    "socket.connect": "connected a socket",
    "socket.getaddrinfo": "asked for an address",
    "subprocess.Popen": "started a program",
    "os.fork": "forked",
    "os.posix_spawn": "started a program",
    "signal.signal": "caught a signal",
}
# Read by pydantic whenever a model class is made, and by click's gettext whenever an option with a
# path is: no settings of ours.
OF_OTHERS = {"PYDANTIC_DISABLE_PLUGINS", "LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES"}
listening: list[str] = []


def hear(event: str, _arguments: tuple[object, ...]) -> None:
    """Note a loud audit event while some import listens."""
    if listening and event in LOUD:
        listening.append(LOUD[event])


class HeardThread(threading.Thread):
    """A thread that says so when it starts: before Python 3.12 no audit event does."""

    def start(self) -> None:
        if listening:
            listening.append("started a thread")
        super().start()


class HeardEnvironment(Mapping[str, str]):
    """The environment, noting each read; who writes to it fails."""

    def __init__(self, real: Mapping[str, str]) -> None:
        self._real = dict(real)

    def __getitem__(self, name: str) -> str:
        if listening and name not in OF_OTHERS:
            listening.append(f"read the environment: {name}")
        return self._real[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._real)

    def __len__(self) -> int:
        return len(self._real)


@contextmanager
def heard(module: str) -> Iterator[None]:
    """Print what happens inside."""
    listening.append(module)
    yield
    for noise in listening[1:]:
        print(f"{module} {noise}")
    listening.clear()


def main(modules: Iterable[str]) -> None:
    """Load once in silence, forget what is ours, load again."""
    names = list(modules)
    for name in names:
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.split(".")[0] in {"services", "shared"}]:
        del sys.modules[name]
    os.environ = HeardEnvironment(os.environ)  # type: ignore[assignment]  # noqa: B003 - only reads matter here
    threading.Thread = HeardThread  # type: ignore[misc]  # for those who import it from now on
    sys.addaudithook(hear)
    for name in names:
        with heard(name):
            importlib.import_module(name)


if __name__ == "__main__":
    main(sys.argv[1:])
