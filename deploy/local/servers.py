"""Server processes under a supervisor: start, check, and stop them."""

import asyncio
import json
import os
import pwd
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.errors import StackError

SUPERVISOR_SCRIPT = Path(__file__).with_name("supervise.py")
# Trap: in the POSIX locale a JVM or a C program cannot open a path with accents.
LOCALE = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"
SUPERVISOR_MARGIN_SECONDS = 5  # seconds for the supervisor beyond the server's own grace
SERVER_USER, FALLBACK_USER = "preau", "nobody"
_LOG_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
# Marks of the log line with the cause, in PostgreSQL, Kafka, Java and Redis.
_ERROR_MARKS = ("FATAL", "PANIC", "ERROR", "rror:", "Fatal")


@dataclass(frozen=True)
class Program:
    """The command, folder, user and stop signal of a server."""

    name: str
    command: Sequence[str]
    folder: Path
    log: Path
    user: tuple[int, int] | None = None
    readable_paths: Sequence[Path] = ()
    home: Path | None = None
    """The stack's folder, which the program's user cannot enter; by default its own folder."""
    stop_signal: str = "SIGTERM"
    grace_seconds: float = 15
    environment: dict[str, str] = field(default_factory=dict)


class ServerProcess:
    """A running program, created with `start`. It never outlives this process."""

    def __init__(self, program: Program, process: "subprocess.Popen[bytes]") -> None:
        """Wrap a started supervisor process."""
        self.program = program
        self._process = process

    @classmethod
    def start(cls, program: Program, lock_descriptors: Sequence[int] = ()) -> "ServerProcess":
        """Start a program, which keeps `lock_descriptors` open until it ends."""
        plan = {
            "command": list(program.command),
            "folder": str(program.folder),
            "environment": server_environment() | program.environment,
            "user": program.user,
            "home": str(program.home or program.folder),
            "needs": [str(path) for path in program.readable_paths],
            "stop": program.stop_signal,
            "grace": program.grace_seconds,
        }
        program.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(program.log, _LOG_FLAGS, 0o600), "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(SUPERVISOR_SCRIPT), json.dumps(plan)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=lock_descriptors,
                # Ctrl-C in the terminal must not reach the servers: the stack stops them in order.
                start_new_session=True,
            )
        return cls(program, process)

    @property
    def pid(self) -> int:
        """The process id of the supervisor."""
        return self._process.pid

    def raise_if_stopped(self) -> None:
        """Raise StackError with the last log line if the server has ended."""
        if self._process.poll() is not None:
            raise StackError(self.describe_exit())

    def describe_exit(self) -> str:
        """Describe in one line that the server stopped, its last log line, and the log file."""
        name, log = self.program.name, self.program.log
        return f"{name} stopped by itself: {last_log_line(log)} (all of it in {log})"

    async def wait_until_exit(self) -> int:
        """Wait until the process ends, and return its exit status."""
        # Popen.wait() would block the event loop, or a thread that cannot be cancelled.
        while (status := self._process.poll()) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return status

    async def stop(self) -> None:
        """Send the stop signal and wait for the end; kill the server after its grace period."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(self.program.grace_seconds + SUPERVISOR_MARGIN_SECONDS):
                await self.wait_until_exit()
        except TimeoutError:
            self._process.kill()
            await self.wait_until_exit()


def server_environment() -> dict[str, str]:
    """Return the environment of a server: a few variables of ours, and the locale."""
    variables = {name: os.environ[name] for name in ("PATH", "TMPDIR", "TZ") if name in os.environ}
    return variables | {"LC_ALL": LOCALE, "LANG": LOCALE}


def unprivileged_user() -> tuple[int, int] | None:
    """Return the uid and gid of the servers if this process is root, else None."""
    if os.geteuid() != 0:
        return None
    for name in (SERVER_USER, FALLBACK_USER):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    message = f"Servers do not run as root: make a user {SERVER_USER}, or run as an ordinary user."
    raise StackError(message)


def change_owner(folder: Path, *written: Path) -> None:
    """Change the owner of a server's folder and its content to the server's user.

    If the folder already has that owner, only the owner of the `written` files is changed.
    """
    user = unprivileged_user()
    if user is None:
        return
    for file in written:
        os.chown(file, *user)
    if folder.stat().st_uid == user[0]:
        return
    for parent, folders, files in os.walk(folder, topdown=False):
        for name in (*folders, *files):
            os.chown(Path(parent) / name, *user, follow_symlinks=False)
    # Last, so that an interrupted run starts again from the beginning.
    os.chown(folder, *user)


def last_log_line(log: Path) -> str:
    """Return the last log line with an error mark, else the last line, at most 300 characters."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-50:]
    error_lines = [line for line in lines if any(w in line for w in _ERROR_MARKS)]
    last = (error_lines or [line for line in lines if line.strip()] or ["it wrote no log"])[-1]
    return last.strip()[:300]
