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

SUPERVISE = Path(__file__).with_name("supervise.py")
# A JVM or a C program in the POSIX locale loses the accents of a path.
LOCALE = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"
MARGIN = 5  # seconds for the supervisor beyond the server's own grace
OWN_USER, NO_USER = "preau", "nobody"
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
    needs: Sequence[Path] = ()
    home: Path | None = None
    """The stack's folder, closed to the program's user; its own folder if left out."""
    stop: str = "SIGTERM"
    grace: float = 15
    environment: dict[str, str] = field(default_factory=dict)


class Server:
    """A running program. Make one with `start`; it dies with this process in any case."""

    def __init__(self, program: Program, process: "subprocess.Popen[bytes]") -> None:
        """Take over a supervisor that was just started."""
        self.program = program
        self._process = process

    @classmethod
    def start(cls, program: Program, held: Sequence[int] = ()) -> "Server":
        """Start a program; `held` are file descriptors to keep open as long as it lives."""
        plan = {
            "command": list(program.command),
            "folder": str(program.folder),
            "environment": child_environment() | program.environment,
            "user": program.user,
            "home": str(program.home or program.folder),
            "needs": [str(path) for path in program.needs],
            "stop": program.stop,
            "grace": program.grace,
        }
        program.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(program.log, _LOG_FLAGS, 0o600), "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(SUPERVISE), json.dumps(plan)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=held,
                # Ctrl-C in the terminal must reach us only: we stop them in our order.
                start_new_session=True,
            )
        return cls(program, process)

    @property
    def pid(self) -> int:
        """Its supervisor's process id."""
        return self._process.pid

    def check(self) -> None:
        """Raise StackError with the server's last words if it is gone."""
        if self._process.poll() is not None:
            raise StackError(self.obituary())

    def obituary(self) -> str:
        """Say in one line that it stopped, what it said last, and where to read more."""
        name, log = self.program.name, self.program.log
        return f"{name} stopped by itself: {last_words(log)} (all of it in {log})"

    async def finished(self) -> int:
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
            async with asyncio.timeout(self.program.grace + MARGIN):
                await self.finished()
        except TimeoutError:
            self._process.kill()
            await self.finished()


def child_environment() -> dict[str, str]:
    """Give the little that a server may see of our environment."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "TZ") if name in os.environ}
    return kept | {"LC_ALL": LOCALE, "LANG": LOCALE}


def unprivileged_user() -> tuple[int, int] | None:
    """Give the uid and gid that all servers run as; None when we are not root."""
    if os.geteuid() != 0:
        return None
    for name in (OWN_USER, NO_USER):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    message = f"Servers do not run as root: make a user {OWN_USER}, or run as an ordinary user."
    raise StackError(message)


def hand_over(folder: Path, *written: Path) -> None:
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


def last_words(log: Path) -> str:
    """Give the last line of a log that says something, shortened."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-50:]
    telling = [line for line in lines if any(w in line for w in _TELLING)]
    last = (telling or [line for line in lines if line.strip()] or ["it said nothing"])[-1]
    return last.strip()[:300]
