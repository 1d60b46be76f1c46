"""What one stack keeps in its folder beside the servers' data: its lock, ports and passwords."""

import fcntl
import json
import os
import random
import secrets
import signal
import socket
import stat
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import cast

from deploy.local.artifacts import REPOSITORY
from deploy.local.errors import StackError

HOST = "127.0.0.1"
# Below the ephemeral ranges of Linux and macOS: no outgoing connection takes one meanwhile.
PORT_RANGE = range(20_000, 30_000)
PASSWORD_BYTES = 24
PRIVATE_MODE = 0o700
STACK_FILES = frozenset({"stack.lock", "ports.json", "secrets.json", "logs"})
# How long the servers of a killed stack may take to stop before a new one gives up.
LEFTOVER_TIMEOUT_SECONDS = 30.0


def home_folder(env: Mapping[str, str]) -> Path:
    """Return the folder of the data: PREAU_HOME, or `.preau` of the repository."""
    return Path(env.get("PREAU_HOME") or REPOSITORY / ".preau").resolve()


def make_home(home: Path) -> None:
    """Make the folder if needed, and close it to all others.

    Raises StackError if this user may not write there, or if it is a folder of other things.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        usable = os.access(home, os.W_OK | os.X_OK)
        if usable and stat.S_IMODE(home.stat().st_mode) != PRIVATE_MODE:
            _close(home)
    except (PermissionError, FileExistsError, NotADirectoryError):
        usable = False
    if not usable:
        message = f"{home} is no folder that this user may write to: set PREAU_HOME to another."
        raise StackError(message)


def _close(home: Path) -> None:
    """Take from all others what an older version let them read."""
    names = {entry.name for entry in home.iterdir()}
    if names and not names & STACK_FILES:
        message = f"{home} is open to others and holds other things: set PREAU_HOME to another."
        raise StackError(message)
    home.chmod(PRIVATE_MODE)
    for place, folders, files in os.walk(home):
        for name in (*folders, *files):
            path = Path(place) / name
            if not path.is_symlink():
                path.chmod(stat.S_IMODE(path.stat().st_mode) & 0o700)


class HomeLock:
    """One stack in a home. The servers' supervisors hold it too, until the last has ended."""

    def __init__(self, home: Path) -> None:
        """Name the lock of a home; nothing is locked yet."""
        self._path = home / "stack.lock"
        self._file = -1

    def acquire(self) -> int:
        """Take the lock and return its descriptor; raise StackError naming who has it."""
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except PermissionError:
            message = f"{self._path} belongs to another user: use that user, or another PREAU_HOME."
            raise StackError(message) from None
        # Who was killed leaves servers that are stopping: worth waiting for. A living one is not.
        deadline = time.monotonic() + LEFTOVER_TIMEOUT_SECONDS
        while not _try_lock(self._file):
            holder = read_lock_owner(self._path)
            if _alive(holder) or time.monotonic() > deadline:
                os.close(self._file)
                message = (
                    f"A stack already runs in {self._path.parent} (process {holder}): stop it with "
                    "`make down`, or set PREAU_HOME to another folder."
                )
                raise StackError(message)
            time.sleep(0.05)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        return self._file

    def release(self) -> None:
        """Return the lock back."""
        os.ftruncate(self._file, 0)
        os.close(self._file)


def find_running_stack(home: Path) -> int | None:
    """Return the process id of the stack that runs in a home, if one does."""
    path = home / "stack.lock"
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    except PermissionError:
        message = f"{path} belongs to another user: only that user can stop this stack."
        raise StackError(message) from None
    try:
        return None if _try_lock(file) else read_lock_owner(path)
    finally:
        os.close(file)


def stop_running_stack(home: Path) -> int | None:
    """Ask the stack that runs in a home to stop, wait, and give its process id; None without one.

    Also waits for the servers of a stack that was killed. Raises StackError if they stay.
    """
    holder = find_running_stack(home)
    if holder is None:
        return None
    if _alive(holder):
        os.kill(holder, signal.SIGTERM)
    deadline = time.monotonic() + LEFTOVER_TIMEOUT_SECONDS
    while find_running_stack(home) is not None:
        if time.monotonic() > deadline:
            message = (
                f"Process {holder} was asked to stop {LEFTOVER_TIMEOUT_SECONDS:.0f} s ago"
                " and still runs."
            )
            raise StackError(message)
        time.sleep(0.05)
    return holder


def read_lock_owner(path: Path) -> int:
    """Return the process id that a lock file names; 0 when it names none."""
    text = path.read_text(encoding="ascii", errors="replace").strip()
    return int(text) if text.isdecimal() else 0


def choose_ports(home: Path, requested: Mapping[str, int | None]) -> dict[str, int]:
    """Return a free port for each name: the one asked for, or last time's, or any; keep them.

    A port that was asked for by number and is taken raises StackError; one that is only
    remembered is replaced.
    """
    kept = home / "ports.json"
    remembered = _read_ports(kept)
    chosen: dict[str, int] = {}
    # Those asked for first: no other name may draw one of them.
    for name, asked in sorted(requested.items(), key=lambda item: item[1] is None):
        if asked is not None and (asked in chosen.values() or not is_free(asked)):
            message = f"Port {asked}, asked for {name}, is in use: free it or ask for another."
            raise StackError(message)
        chosen[name] = asked or find_free_port(remembered.get(name), chosen.values())
    if chosen.items() - remembered.items():
        write_private(kept, json.dumps(remembered | chosen, indent=1) + "\n")
    return chosen


def find_free_port(remembered: int | None = None, taken: Collection[int] = ()) -> int:
    """Return a port that is free now: the remembered one if it is, any other otherwise."""
    anywhere = random.sample(PORT_RANGE, k=200)
    candidates = [remembered, *anywhere] if remembered else anywhere
    for port in candidates:
        if port not in taken and is_free(port):
            return port
    message = f"No free port between {PORT_RANGE[0]} and {PORT_RANGE[-1]}: stop what listens there."
    raise StackError(message)


def is_free(port: int) -> bool:
    """Return whether a server could listen on this port now."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def load_or_create_passwords(home: Path, names: list[str]) -> dict[str, str]:
    """Return each name its password, made once and kept in `secrets.json`, for this user's eyes."""
    path = home / "secrets.json"
    try:
        kept = _passwords_in(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        kept = {}
    except PermissionError:
        message = f"{path} belongs to another user: use that user, or another PREAU_HOME."
        raise StackError(message) from None
    except ValueError:
        message = f"{path} holds no passwords any more: put it back, or remove {home}."
        raise StackError(message) from None
    missing = [name for name in names if name not in kept]
    if missing:
        kept |= {name: secrets.token_urlsafe(PASSWORD_BYTES) for name in missing}
        write_private(path, json.dumps(kept, indent=1) + "\n")
    return kept


def _passwords_in(text: str) -> dict[str, str]:
    found = json.loads(text)
    if isinstance(found, dict) and all(isinstance(word, str) for word in found.values()):
        return cast("dict[str, str]", found)
    message = "no object of words"
    raise ValueError(message)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0


def _read_ports(path: Path) -> dict[str, int]:
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="ascii"))
        if isinstance(found, dict):
            return {name: port for name, port in found.items() if port in PORT_RANGE}
    return {}


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner only may read."""
    # Whole or not at all, and never readable by others, not even for a moment.
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "w", encoding="ascii") as stream:
        stream.write(text)
    partial.replace(path)
