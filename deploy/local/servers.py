"""A server process under its supervisor: start it, read its last words, stop it."""

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
# A JVM or a C program in the POSIX locale loses the accents of a path.
LOCALE = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"
SUPERVISOR_MARGIN_SECONDS = 5  # seconds for the supervisor beyond the server's own grace
SERVER_USER, FALLBACK_USER = "preau", "nobody"
_LOG_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
# What marks the line that says why: PostgreSQL, Kafka, Java, Redis in this order.
_TELLING = ("FATAL", "PANIC", "ERROR", "rror:", "Fatal")


@dataclass(frozen=True)
class Program:
    """How to run one server, and how it wants to be stopped."""

    name: str
    command: Sequence[str]
    folder: Path
    log: Path
    user: tuple[int, int] | None = None
    readable_paths: Sequence[Path] = ()
    home: Path | None = None
    """The stack's folder, closed to the program's user; its own folder if left out."""
    stop_signal: str = "SIGTERM"
    grace_seconds: float = 15
    environment: dict[str, str] = field(default_factory=dict)


class ServerProcess:
    """A running program. Make one with `start`; it dies with this process in any case."""

    def __init__(self, program: Program, process: "subprocess.Popen[bytes]") -> None:
        """Take over a supervisor that was just started."""
        self.program = program
        self._process = process

    @classmethod
    def start(cls, program: Program, lock_descriptors: Sequence[int] = ()) -> "ServerProcess":
        """Start a program; `held` are file descriptors to keep open as long as it lives."""
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
                # Ctrl-C in the terminal must reach us only: we stop them in our order.
                start_new_session=True,
            )
        return cls(program, process)

    @property
    def pid(self) -> int:
        """Its supervisor's process id."""
        return self._process.pid

    def raise_if_stopped(self) -> None:
        """Raise StackError with the server's last words if it is gone."""
        if self._process.poll() is not None:
            raise StackError(self.describe_exit())

    def describe_exit(self) -> str:
        """Say in one line that it stopped, what it said last, and where to read more."""
        name, log = self.program.name, self.program.log
        return f"{name} stopped by itself: {last_log_line(log)} (all of it in {log})"

    async def wait_until_exit(self) -> int:
        """Wait until it ends by itself and return its exit status."""
        # Its own wait() would block the loop, or a thread that no cancelling reaches.
        while (status := self._process.poll()) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return status

    async def stop(self) -> None:
        """Stop it the way it wants and wait; it is gone when this returns."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(self.program.grace_seconds + SUPERVISOR_MARGIN_SECONDS):
                await self.wait_until_exit()
        except TimeoutError:
            self._process.kill()
            await self.wait_until_exit()


def server_environment() -> dict[str, str]:
    """Return the little that a server may see of our environment."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "TZ") if name in os.environ}
    return kept | {"LC_ALL": LOCALE, "LANG": LOCALE}


def unprivileged_user() -> tuple[int, int] | None:
    """Return the uid and gid that all servers run as; None when we are not root."""
    if os.geteuid() != 0:
        return None
    for name in (SERVER_USER, FALLBACK_USER):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    message = f"Servers do not run as root: make a user {SERVER_USER}, or run as an ordinary user."
    raise StackError(message)


def change_owner(folder: Path, *written: Path) -> None:
    """Make a server's folder, and all in it, belong to the user that the server runs as.

    Where the folder does already, only the files that were `written` just now are looked at.
    """
    user = unprivileged_user()
    if user is None:
        return
    for file in written:
        os.chown(file, *user)
    if folder.stat().st_uid == user[0]:
        return
    for place, folders, files in os.walk(folder, topdown=False):
        for name in (*folders, *files):
            os.chown(Path(place) / name, *user, follow_symlinks=False)
    # The last of all: an interrupted run begins again.
    os.chown(folder, *user)


def last_log_line(log: Path) -> str:
    """Return the last line of a log that says something, shortened."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-50:]
    telling = [line for line in lines if any(w in line for w in _TELLING)]
    last = (telling or [line for line in lines if line.strip()] or ["it said nothing"])[-1]
    return last.strip()[:300]
