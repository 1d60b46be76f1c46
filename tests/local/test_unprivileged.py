"""A stack started as root: unprivileged servers, and a data folder closed to other users."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.local.choices import ServerName
from deploy.local.errors import StackError
from deploy.local.home import make_home
from deploy.local.servers import Program, ServerProcess, change_owner, unprivileged_user
from deploy.local.stack import Stack

pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0, reason="only root can become somebody else"
    ),
]
PARTS: frozenset[ServerName] = frozenset({"postgres", "redis"})
OTHERS = (65534, 4242)
"""The user that servers run as, where there is no user `preau`, and any other."""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter; the temporary folders of pytest are closed."""
    with tempfile.TemporaryDirectory(prefix="préau-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def closed_folder(open_folder: Path) -> Path:
    """A folder that only root may enter, as /root is, below open ones."""
    folder = open_folder / "l'été fermé"
    folder.mkdir(mode=0o700)
    return folder


def run_as(uid: int, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, user=uid, group=uid, extra_groups=[], capture_output=True, text=True, check=False
    )


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}


def is_mounted(folder: Path) -> bool:
    return folder.is_mount()


def processes_of(stack: Stack) -> list[int]:
    pids = []
    for server in stack._servers.values():
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
        pids += [server.pid, *map(int, children.split())]
    return pids


async def test_servers_have_no_capabilities_and_reach_a_closed_home(closed_folder: Path) -> None:
    home = closed_folder / "maison d’été"
    stack = Stack(home, server_names=PARTS, fast=True)
    async with stack:
        pids = processes_of(stack)
        assert len(pids) >= 4
        for pid in pids:
            status = status_of(pid)
            assert set(status["Uid"].split()) == {str((unprivileged_user() or (0, 0))[0])}
            assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
            assert status["NoNewPrivs"] == "1"
        # What the servers see instead of closed folders is theirs alone.
        assert not is_mounted(closed_folder)


async def test_no_other_user_reads_a_file_of_the_home(open_folder: Path) -> None:
    home = open_folder / "home"
    async with Stack(home, server_names=PARTS, fast=True):
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        files = [path for path in home.rglob("*") if not path.is_symlink()]
        assert len(files) > 20
        assert [path for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
        for uid in OTHERS:
            assert run_as(uid, "ls", str(home)).returncode != 0
            for path in (home / "secrets.json", home / "valkey/valkey.conf", home / "postgres"):
                assert run_as(uid, "ls", "-d", str(path)).returncode != 0


@pytest.mark.parametrize("uid", OTHERS)
async def test_servers_refuse_a_command_without_a_password(tmp_path: Path, uid: int) -> None:
    async with Stack(tmp_path / "home", server_names=PARTS, fast=True) as addresses:
        port = addresses.redis.rpartition(":")[2].partition("/")[0]
        talk = f"exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'CONFIG GET dir\\r\\n' >&3; head -1 <&3"
        result = run_as(uid, "bash", "-c", talk)
        assert result.stdout.startswith("-NOAUTH"), result
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(addresses.postgres.replace(":", ":no", 2).replace(":no", ":", 1))


async def test_open_home_of_an_old_version_is_closed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with Stack(home, server_names=PARTS, fast=True):
        pass
    # As versions before left it: readable, and of root's.
    for path in (home, *home.rglob("*")):
        os.chown(path, 0, 0)
        path.chmod(0o755 if path.is_dir() else 0o644)

    async with Stack(home, server_names=PARTS, fast=True) as addresses:
        connection = await asyncpg.connect(addresses.postgres)
        await connection.close()
    assert [path for path in (home, *home.rglob("*")) if path.stat().st_mode & 0o077] == []


def test_folder_with_unrelated_files_is_not_changed(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "letter").touch()
    with pytest.raises(StackError, match="open to others and holds other things"):
        make_home(shared)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755


async def test_unreadable_program_file_is_a_one_line_error(closed_folder: Path) -> None:
    folder, secret = closed_folder / "folder", closed_folder / "secret"
    folder.mkdir()
    secret.touch(mode=0o600)
    change_owner(folder)
    program = Program(
        "Thing",
        ["/bin/cat", str(secret)],
        folder,
        closed_folder / "log",
        unprivileged_user(),
        readable_paths=[secret],
    )
    server = ServerProcess.start(program)
    assert await server.wait_until_exit() == 1
    assert "secret may not be read by the servers' user" in server.describe_exit()
    await server.stop()
