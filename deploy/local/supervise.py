"""Run one server that stops when the process that started it ends.

A script with the standard library only: `python -I -S supervise.py '{"command": …}'`. When its
standard input ends (an orderly stop, a crash or a kill -9 of the parent), the server gets its stop
signal and later SIGKILL. A pipe works on every system and from every thread; PR_SET_PDEATHSIG works
on Linux only and is bound to the thread that forked.
"""

# os.path: pathlib imports modules lazily, from folders that this process may not reach by then.
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
    """The program cannot run as the requested user; the text has the next step."""


class Plan(TypedDict):
    """The command to run, its user, and its stop signal."""

    command: list[str]
    folder: str
    environment: dict[str, str]
    user: tuple[int, int] | None  # uid and gid to become first
    home: str  # the stack's folder, which the user may be allowed to enter
    needs: list[str]  # paths that the program reads, beside its folder
    stop: str  # the signal for an orderly stop
    grace: float  # seconds before SIGKILL


def main(plan: Plan) -> int:
    """Run the server until it ends, and return its exit status."""
    # Only the server's user may read the files that it writes.
    os.umask(0o077)
    if plan["user"] is not None:
        try:
            _switch_user(plan, *plan["user"])
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

    def request_stop(_signal: int = 0, _frame: FrameType | None = None) -> None:
        threading.Thread(
            target=_stop_server, args=(server, stop, plan["grace"]), daemon=True
        ).start()

    for signal_number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signal_number, request_stop)
    threading.Thread(target=_await_end_of_input, args=(request_stop,), daemon=True).start()
    return server.wait()


def _await_end_of_input(request_stop: Callable[[], None]) -> None:
    while os.read(0, 1024):
        pass
    request_stop()


def _stop_server(server: "subprocess.Popen[bytes]", stop: signal.Signals, grace: float) -> None:
    server.send_signal(stop)
    try:
        server.wait(grace)
    except subprocess.TimeoutExpired:
        server.kill()


def _die_with_supervisor(stop: signal.Signals) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(stop), 0, 0, 0)


def _switch_user(plan: Plan, uid: int, gid: int) -> None:
    """Become a user without capabilities who can read the paths that the program needs."""
    plan["folder"] = os.path.realpath(plan["folder"])
    plan["command"][0] = os.path.realpath(plan["command"][0])
    paths = [plan["folder"], *map(os.path.realpath, plan["needs"])]
    libc = ctypes.CDLL(None, use_errno=True)
    if not _hide_closed_folders(libc, paths, uid, gid):
        _open_home_to_group(plan["home"], gid)
        for path in paths:
            _require_access(path, uid, gid)
    os.setgroups([])
    os.setgid(gid)
    # Leaving root drops all capabilities; NO_NEW_PRIVS keeps later programs from regaining them.
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
    """Return the topmost parent folder of a path that this user may not enter, or None."""
    parts = path.split(os.sep)  # noqa: PTH206  as above
    for length in range(1, len(parts)):
        folder = os.sep.join(parts[:length]) or os.sep
        state = os.stat(folder)
        bits = state.st_mode >> (6 if state.st_uid == uid else 3 if state.st_gid == gid else 0)
        if not bits & 1:
            return folder
    return None


def _hide_closed_folders(libc: ctypes.CDLL, paths: list[str], uid: int, gid: int) -> bool:
    """Mount an empty folder over each closed one, with only the needed paths in it.

    A mount namespace limits this to this process and its children. Return False if the system does
    not permit it.
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
    # Otherwise the mounts would appear in all other processes too.
    _mount(libc, b"none", b"/", None, MS_REC | MS_PRIVATE)
    for folder, needed_paths in closed.items():
        _mount_over(libc, folder, needed_paths)
    return True


def _mount_over(libc: ctypes.CDLL, folder: str, paths: list[str]) -> None:
    # Opened before the mount, which hides them.
    files = {path: os.open(path, os.O_PATH) for path in sorted(paths)}
    _mount(libc, b"tmpfs", os.fsencode(folder), b"tmpfs", MS_NOSUID_NODEV, b"mode=0711,size=1m")
    old_umask = os.umask(0o066)  # others may enter the folders, but not list them
    for path, file in files.items():
        if os.path.isdir(f"/proc/self/fd/{file}"):
            os.makedirs(path, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        source = f"/proc/self/fd/{file}".encode()
        _mount(libc, source, os.fsencode(path), None, MS_BIND | MS_REC)
        os.close(file)
    os.umask(old_umask)


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


def _open_home_to_group(home: str, gid: int) -> None:
    """Let the servers' group enter the stack's folder, without listing it."""
    os.chown(home, -1, gid)
    os.chmod(home, 0o710)  # noqa: S103  the smallest mode that lets one group enter


def _require_access(path: str, uid: int, gid: int) -> None:
    folder = _closed_above(path, uid, gid)
    if folder is not None:
        reason = f"{folder} is closed to the servers' user (uid {uid}) and unshare is not permitted"
        raise CannotSwitchUser(f"{reason}: run as an ordinary user, or put {path} elsewhere")


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])) & 0xFF)
