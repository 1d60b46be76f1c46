"""The home of a stack: the folder with its lock, ports, passwords and the servers' data."""

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
# Below the ephemeral ranges of Linux and macOS, so that no outgoing connection uses one.
PORT_RANGE = range(20_000, 30_000)
PASSWORD_BYTES = 24
PRIVATE_MODE = 0o700
STACK_FILES = frozenset({"stack.lock", "ports.json", "secrets.json", "logs"})
# Wait of a new stack for the servers of a killed stack to stop.
LEFTOVER_TIMEOUT_SECONDS = 30.0


def home_folder(env: Mapping[str, str]) -> Path:
    """Return the data folder: PREAU_HOME, or `.preau` of the repository."""
    return Path(env.get("PREAU_HOME") or REPOSITORY / ".preau").resolve()


def make_home(home: Path) -> None:
    """Create the folder if it is missing, and remove the access of all other users.

    Raises StackError if this user may not write to it, or if it contains unrelated files.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        usable = os.access(home, os.W_OK | os.X_OK)
        if usable and stat.S_IMODE(home.stat().st_mode) != PRIVATE_MODE:
            _remove_other_access(home)
    except (PermissionError, FileExistsError, NotADirectoryError):
        usable = False
    if not usable:
        message = f"{home} is no folder that this user may write to: set PREAU_HOME to another."
        raise StackError(message)


def _remove_other_access(home: Path) -> None:
    """Remove the access that an older version gave to other users."""
    names = {entry.name for entry in home.iterdir()}
    if names and not names & STACK_FILES:
        message = f"{home} is open to others and holds other things: set PREAU_HOME to another."
        raise StackError(message)
    home.chmod(PRIVATE_MODE)
    for parent, folders, files in os.walk(home):
        for name in (*folders, *files):
            path = Path(parent) / name
            if not path.is_symlink():
                path.chmod(stat.S_IMODE(path.stat().st_mode) & 0o700)


class HomeLock:
    """Allows one stack per home. The servers' supervisors keep the lock until the last ends."""

    def __init__(self, home: Path) -> None:
        """Prepare the lock of a home; it is not acquired yet."""
        self._path = home / "stack.lock"
        self._file = -1

    def acquire(self) -> int:
        """Acquire the lock and return its descriptor. Raises StackError with the owner's pid."""
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except PermissionError:
            message = f"{self._path} belongs to another user: use that user, or another PREAU_HOME."
            raise StackError(message) from None
        # The servers of a killed stack are stopping: wait for them, but not for a running stack.
        deadline = time.monotonic() + LEFTOVER_TIMEOUT_SECONDS
        while not _try_lock(self._file):
            owner = read_lock_owner(self._path)
            if _is_alive(owner) or time.monotonic() > deadline:
                os.close(self._file)
                message = (
                    f"A stack already runs in {self._path.parent} (process {owner}): stop it with "
                    "`make down`, or set PREAU_HOME to another folder."
                )
                raise StackError(message)
            time.sleep(0.05)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        return self._file

    def release(self) -> None:
        """Release the lock."""
        os.ftruncate(self._file, 0)
        os.close(self._file)


def find_running_stack(home: Path) -> int | None:
    """Return the process id of the stack that runs in a home, or None."""
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
    """Stop the stack that runs in a home, wait, and return its process id; None without one.

    Also waits for the servers of a killed stack. Raises StackError if they do not stop.
    """
    owner = find_running_stack(home)
    if owner is None:
        return None
    if _is_alive(owner):
        os.kill(owner, signal.SIGTERM)
    deadline = time.monotonic() + LEFTOVER_TIMEOUT_SECONDS
    while find_running_stack(home) is not None:
        if time.monotonic() > deadline:
            message = (
                f"Process {owner} was asked to stop {LEFTOVER_TIMEOUT_SECONDS:.0f} s ago"
                " and still runs."
            )
            raise StackError(message)
        time.sleep(0.05)
    return owner


def read_lock_owner(path: Path) -> int:
    """Return the process id in a lock file; 0 without one."""
    text = path.read_text(encoding="ascii", errors="replace").strip()
    return int(text) if text.isdecimal() else 0


def choose_ports(home: Path, requested: Mapping[str, int | None]) -> dict[str, int]:
    """Return a free port for each name and store the choice in `ports.json`.

    A port is the requested one, else the stored one if it is free, else any free one. Raises
    StackError for a requested port that is in use.
    """
    file = home / "ports.json"
    stored = _read_ports(file)
    chosen: dict[str, int] = {}
    # Requested ports first, so that no other name gets one of them.
    for name, port in sorted(requested.items(), key=lambda item: item[1] is None):
        if port is not None and (port in chosen.values() or not is_free(port)):
            message = f"Port {port}, requested for {name}, is in use: free it or request another."
            raise StackError(message)
        chosen[name] = port or find_free_port(stored.get(name), chosen.values())
    if chosen.items() - stored.items():
        write_private(file, json.dumps(stored | chosen, indent=1) + "\n")
    return chosen


def find_free_port(preferred: int | None = None, taken: Collection[int] = ()) -> int:
    """Return a free port: the preferred one if it is free, else a random one."""
    random_ports = random.sample(PORT_RANGE, k=200)
    candidates = [preferred, *random_ports] if preferred else random_ports
    for port in candidates:
        if port not in taken and is_free(port):
            return port
    message = f"No free port between {PORT_RANGE[0]} and {PORT_RANGE[-1]}: stop what listens there."
    raise StackError(message)


def is_free(port: int) -> bool:
    """Return whether a server could listen on this port now."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections are closing counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def load_or_create_passwords(home: Path, names: list[str]) -> dict[str, str]:
    """Return a password for each name, created once and stored in `secrets.json` (mode 0600)."""
    path = home / "secrets.json"
    try:
        passwords = _parse_passwords(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        passwords = {}
    except PermissionError:
        message = f"{path} belongs to another user: use that user, or another PREAU_HOME."
        raise StackError(message) from None
    except ValueError:
        message = f"{path} holds no passwords any more: put it back, or remove {home}."
        raise StackError(message) from None
    missing = [name for name in names if name not in passwords]
    if missing:
        passwords |= {name: secrets.token_urlsafe(PASSWORD_BYTES) for name in missing}
        write_private(path, json.dumps(passwords, indent=1) + "\n")
    return passwords


def _parse_passwords(text: str) -> dict[str, str]:
    content = json.loads(text)
    if isinstance(content, dict) and all(isinstance(text, str) for text in content.values()):
        return cast("dict[str, str]", content)
    message = "no object of strings"
    raise ValueError(message)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0


def _read_ports(path: Path) -> dict[str, int]:
    with suppress(OSError, ValueError):
        ports = json.loads(path.read_text(encoding="ascii"))
        if isinstance(ports, dict):
            return {name: port for name, port in ports.items() if port in PORT_RANGE}
    return {}


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, atomically."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "w", encoding="ascii") as stream:
        stream.write(text)
    partial.replace(path)
