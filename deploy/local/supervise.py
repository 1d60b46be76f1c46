"""Run one server and never let it outlive whoever started it.

A script of its own, with the standard library only: `python -I -S supervise.py '{"command": …}'`.
Its standard input is the life line: when it ends, for whatever reason (a tidy stop, a crash, a
kill -9 of the parent), the server is asked to stop, then killed. A pipe works on every system
and from every thread, where PR_SET_PDEATHSIG is Linux's and bound to the thread that forked.
"""

# What pathlib imports late could stand below a folder that is closed by then.
# ruff: noqa: PTH101, PTH103, PTH112, PTH118, PTH120, PTH116

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import TypedDict

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWNS = 0x20000
MS_NOSUID_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 0b110, 1 << 12, 1 << 14, 1 << 18


class CannotSwitchUser(Exception):
    """The program cannot be run as the user that was asked for; the text says what to do."""


class Plan(TypedDict):
    """What to run and how it must end."""

    command: list[str]
    folder: str
    environment: dict[str, str]
    user: tuple[int, int] | None  # uid and gid to become first
    home: str  # the stack's folder, which this user may be let into
    needs: list[str]  # what the program reads, beside its folder
    stop: str  # the signal that asks for a tidy stop
    grace: float  # seconds before SIGKILL


def main(plan: Plan) -> int:
    """Run the plan to its end and return the server's exit status."""
    # What a server writes is for its own user only.
    os.umask(0o077)
    if plan["user"] is not None:
        try:
            _become(plan, *plan["user"])
        except CannotSwitchUser as refusal:
            sys.stderr.write(f"ERROR: {refusal}\n")
            return 1
    stop = signal.Signals[plan["stop"]]
    server = subprocess.Popen(
        plan["command"],
        cwd=plan["folder"],
        env=plan["environment"],
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: _die_with_supervisor(stop),  # noqa: PLW1509 - there is one thread here
    )

    def ask(_signal: int = 0, _frame: FrameType | None = None) -> None:
        threading.Thread(target=_end, args=(server, stop, plan["grace"]), daemon=True).start()

    for received in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(received, ask)
    threading.Thread(target=_await_end_of_input, args=(ask,), daemon=True).start()
    return server.wait()


def _await_end_of_input(ask: Callable[[], None]) -> None:
    while os.read(0, 1024):
        pass
    ask()


def _end(server: "subprocess.Popen[bytes]", stop: signal.Signals, grace: float) -> None:
    server.send_signal(stop)
    try:
        server.wait(grace)
    except subprocess.TimeoutExpired:
        server.kill()


def _die_with_supervisor(stop: signal.Signals) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(stop), 0, 0, 0)


def _become(plan: Plan, uid: int, gid: int) -> None:
    """Become a user without any capability, who can reach what the program needs."""
    plan["folder"] = os.path.realpath(plan["folder"])
    plan["command"][0] = os.path.realpath(plan["command"][0])
    paths = [plan["folder"], *map(os.path.realpath, plan["needs"])]
    libc = ctypes.CDLL(None, use_errno=True)
    if not _open_way(libc, paths, uid, gid):
        _let_into_home(plan["home"], gid)
        for path in paths:
            _require_way(path, uid, gid)
    os.setgroups([])
    os.setgid(gid)
    # Leaving root takes all capabilities away, and no program that is run later brings one back.
    os.setuid(uid)
    if sys.platform == "linux":
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for path in paths:
        if not os.access(path, os.R_OK | (os.X_OK if os.path.isdir(path) else 0)):
            advice = "give it read permission (chmod -R go+rX), or run as an ordinary user"
            raise CannotSwitchUser(
                f"{path} may not be read by the servers' user (uid {uid}): {advice}"
            )


def _closed_above(path: str, uid: int, gid: int) -> str | None:
    """Return the uppermost folder above a path that this user may not pass through."""
    parts = path.split(os.sep)  # noqa: PTH206  as above
    for length in range(1, len(parts)):
        folder = os.sep.join(parts[:length]) or os.sep
        state = os.stat(folder)
        bits = state.st_mode >> (6 if state.st_uid == uid else 3 if state.st_gid == gid else 0)
        if not bits & 1:
            return folder
    return None


def _open_way(libc: ctypes.CDLL, paths: list[str], uid: int, gid: int) -> bool:
    """Show this process and its children an empty folder in place of each closed one.

    In it stands only what is needed, at the same path; nothing changes for any other process.
    False when the system does not let us.
    """
    closed: dict[str, list[str]] = {}
    for path in paths:
        folder = _closed_above(path, uid, gid)
        if folder is not None:
            closed.setdefault(folder, []).append(path)
    if not closed:
        return True
    if sys.platform != "linux" or libc.unshare(CLONE_NEWNS) != 0:
        return False
    # Else what is mounted here would appear for all other processes too.
    _mount(libc, b"none", b"/", None, MS_REC | MS_PRIVATE)
    for folder, inside in closed.items():
        _cover(libc, folder, inside)
    return True


def _cover(libc: ctypes.CDLL, folder: str, inside: list[str]) -> None:
    # Opened first: the cover hides them.
    files = {path: os.open(path, os.O_PATH) for path in sorted(inside)}
    _mount(libc, b"tmpfs", os.fsencode(folder), b"tmpfs", MS_NOSUID_NODEV, b"mode=0711,size=1m")
    before = os.umask(0o066)  # others pass through, and list nothing
    for path, file in files.items():
        if os.path.isdir(f"/proc/self/fd/{file}"):
            os.makedirs(path, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        source = f"/proc/self/fd/{file}".encode()
        _mount(libc, source, os.fsencode(path), None, MS_BIND | MS_REC)
        os.close(file)
    os.umask(before)


def _mount(
    libc: ctypes.CDLL,
    source: bytes,
    target: bytes,
    kind: bytes | None,
    flags: int,
    data: bytes = b"",
) -> None:
    if libc.mount(source, target, kind, ctypes.c_ulong(flags), data) != 0:
        raise OSError(ctypes.get_errno(), "mount", target)


def _let_into_home(home: str, gid: int) -> None:
    """Let the servers' group pass through the stack's own folder, without listing it."""
    os.chown(home, -1, gid)
    os.chmod(home, 0o710)  # noqa: S103  the least that lets one group through


def _require_way(path: str, uid: int, gid: int) -> None:
    folder = _closed_above(path, uid, gid)
    if folder is not None:
        why = f"{folder} is closed to the servers' user (uid {uid}) and unshare is not permitted"
        raise CannotSwitchUser(f"{why}: run as an ordinary user, or put {path} elsewhere")


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])) & 0xFF)
