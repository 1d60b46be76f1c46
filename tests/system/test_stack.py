"""The laptop stack as a person meets it: started, interrupted, killed, spoilt."""

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import artifacts
from deploy.local.choices import SERVER_NAMES, ServerChoices, ServerName
from deploy.local.errors import StackError
from deploy.local.home import PORT_RANGE
from deploy.local.stack import Stack
from tests.support.stack_process import (
    StackProcess,
    addresses_of,
    read_words,
    running_pids,
    write_word,
)

pytestmark = [pytest.mark.system, pytest.mark.allow_hosts(["127.0.0.1"])]

POSTGRES: frozenset[ServerName] = frozenset({"postgres"})
START_SECONDS = 40
"""Two to four on an idle laptop; tests share theirs."""
AWKWARD = "l'été à l'école"


@pytest.fixture(scope="module")
def used_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home that one stack has used and left: its folders are whole."""
    home = tmp_path_factory.mktemp("stack") / AWKWARD
    up = StackProcess(home)
    up.start_and_wait()
    assert up.interrupt() == 0
    yield home
    shutil.rmtree(home)


async def test_ctrl_c_stops_all_and_the_next_start_finds_its_data(used_home: Path) -> None:
    up = StackProcess(used_home)
    assert up.start_and_wait() < START_SECONDS
    family = up.descendants()
    await write_word(addresses_of(used_home), "one")

    assert StackProcess(used_home).start_refused().startswith("A stack already runs in ")
    assert up.interrupt() == 0
    assert not running_pids(family)

    again = StackProcess(used_home)
    again.start_and_wait()
    assert await read_words(addresses_of(used_home)) == {
        "postgres": ["one"],
        "redis": ["one"],
        "kafka": ["one"],
    }
    assert again.terminate() == 0


async def test_kill_9_leaves_no_server_and_allows_a_start(used_home: Path) -> None:
    up = StackProcess(used_home)
    up.start_and_wait()
    family = up.descendants()
    await write_word(addresses_of(used_home), "two")
    words_before = await read_words(addresses_of(used_home))

    up.kill()
    again = StackProcess(used_home)
    assert again.start_and_wait() < START_SECONDS + 5

    # Nobody but themselves ends the old servers: the new start only waits for them.
    assert not running_pids(family)
    assert await read_words(addresses_of(used_home)) == words_before
    assert again.terminate() == 0


async def test_two_homes_run_side_by_side(tmp_path: Path) -> None:
    first = Stack(tmp_path / "a", server_names=POSTGRES, fast=True)
    second = Stack(tmp_path / "b", server_names=POSTGRES, fast=True)
    async with first as first_addresses, second as second_addresses:
        assert (
            first_addresses.postgres.rpartition(":")[2]
            != second_addresses.postgres.rpartition(":")[2]
        )

    with pytest.raises(StackError, match=str(os.getpid())):
        async with (
            Stack(tmp_path / "a", server_names=POSTGRES, fast=True),
            Stack(tmp_path / "a", server_names=POSTGRES, fast=True),
        ):
            pass


async def test_existing_server_is_used_and_left_running(tmp_path: Path) -> None:
    async with Stack(tmp_path / "theirs", server_names=POSTGRES, fast=True) as existing:
        choices = ServerChoices(postgres=existing.postgres)
        async with Stack(tmp_path / "ours", choices, POSTGRES) as reusing:
            assert reusing.postgres == existing.postgres
        async with Stack(tmp_path / "ours", choices, POSTGRES):
            pass
    assert not (tmp_path / "ours" / "postgres").exists()


@pytest.mark.parametrize("part", sorted(SERVER_NAMES))
async def test_missing_server_is_named_and_not_replaced(tmp_path: Path, part: ServerName) -> None:
    nothing = f"127.0.0.1:{PORT_RANGE[-1] + 1}"
    address = {
        "kafka": nothing,
        "postgres": f"postgresql://admin:word@{nothing}/postgres",
        "redis": f"redis://{nothing}/0",
    }[part]

    with pytest.raises(StackError, match=f"PREAU_{part.upper()}"):
        await Stack(tmp_path, ServerChoices(**{part: address}), frozenset({part})).__aenter__()


def test_altered_properties_of_kafka_are_one_line(used_home: Path) -> None:
    meta = used_home / "kafka" / "data" / "meta.properties"
    whole = meta.read_text()
    meta.write_text(whole.replace("cluster.id=", "cluster.id=x"))

    assert "meta.properties was altered" in StackProcess(used_home).start_refused()
    meta.write_text(whole)


def test_a_postgres_folder_without_its_version_is_one_line(used_home: Path) -> None:
    version = used_home / "postgres" / "PG_VERSION"
    version.rename(used_home / "away")

    assert "PG_VERSION: none" in StackProcess(used_home).start_refused()
    (used_home / "away").rename(version)


def test_a_password_that_is_not_the_servers_is_one_line(used_home: Path) -> None:
    secrets = used_home / "secrets.json"
    secrets.rename(used_home / "away")

    assert "secrets.json" in StackProcess(used_home).start_refused()
    (used_home / "away").replace(secrets)


def test_an_altered_jar_is_one_line_with_what_to_do(used_home: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(artifacts.cache_folder({}) / "jars", cache / "jars", copy_function=os.symlink)
    altered = cache / "jars" / artifacts.read_lock()[0].filename
    content = altered.read_bytes()
    altered.unlink()
    altered.write_bytes(content + b"\0")

    message = StackProcess(used_home, environment={"PREAU_CACHE": str(cache)}).start_refused()

    assert altered.name in message
    assert "make install" in message


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        taken = squatter.getsockname()[1]

        message = StackProcess(
            tmp_path, environment={"PREAU_REDIS": f"embedded:{taken}"}
        ).start_refused()

    assert f"Port {taken}" in message


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root to become two")
def test_an_ordinary_user_starts_it_and_may_not_use_a_home_of_roots(
    used_home: Path,
) -> None:
    # Not in pytest's folder: each of its runs closes that to others.
    with tempfile.TemporaryDirectory(prefix="préau-") as name:
        Path(name).chmod(0o755)
        home = Path(name) / AWKWARD
        home.mkdir()
        shutil.chown(home, "nobody", "nogroup")
        up = StackProcess(home, _as_nobody())

        up.start_and_wait()
        family = up.descendants()

        assert up.interrupt() == 0
        assert not running_pids(family)
    assert "set PREAU_HOME to another" in StackProcess(used_home, _as_nobody()).start_refused()


def _as_nobody() -> list[str]:
    # The interpreter itself may lie below root's closed folder: reading stays allowed, no more.
    reading = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *reading]


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root's rights")
def test_root_without_private_mounts_starts_or_is_told_what_to_do() -> None:
    # As in a container: root, but not its right to mount.
    less = ["setpriv", "--bounding-set=-sys_admin"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        up = StackProcess(folder / "home", less)
        up.start_and_wait()
        assert (folder / "home").stat().st_mode & 0o777 == 0o710
        assert up.interrupt() == 0

        (folder / "closed").mkdir(mode=0o700)
        message = StackProcess(folder / "closed" / "home", less).start_refused()
        assert "run as an ordinary user" in message
