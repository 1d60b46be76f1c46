import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local import home as home_module
from deploy.local.errors import StackError
from deploy.local.home import (
    HomeLock,
    choose_ports,
    find_running_stack,
    home_folder,
    load_or_create_passwords,
    make_home,
)

needs_sockets = pytest.mark.allow_hosts(["127.0.0.1"])


def test_home_is_set_by_the_environment(tmp_path: Path) -> None:
    assert home_folder({"PREAU_HOME": str(tmp_path / "été")}) == tmp_path / "été"
    assert home_folder({}).name == ".preau"


def test_home_that_is_a_file_is_refused_with_next_step(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StackError, match="PREAU_HOME"):
        make_home(tmp_path / "file")


def test_only_one_stack_locks_a_home(tmp_path: Path) -> None:
    first = HomeLock(tmp_path)
    first.acquire()

    assert find_running_stack(tmp_path) == os.getpid()
    with pytest.raises(StackError, match=f"process {os.getpid()}.*make down"):
        HomeLock(tmp_path).acquire()

    first.release()
    assert find_running_stack(tmp_path) is None
    again = HomeLock(tmp_path)
    again.acquire()
    again.release()


def test_new_stack_waits_for_servers_of_a_killed_one(tmp_path: Path) -> None:
    # The lock stays with a server whose stack is dead: this one ends after half a second.
    lock = HomeLock(tmp_path)
    descriptor = lock.acquire()
    leftover = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(0.5)"], pass_fds=[descriptor]
    )
    os.close(descriptor)
    dead = subprocess.Popen(["true"])
    dead.wait()
    (tmp_path / "stack.lock").write_text(f"{dead.pid}\n")

    new_lock = HomeLock(tmp_path)
    new_lock.acquire()

    assert leftover.wait(5) == 0
    new_lock.release()


@needs_sockets
def test_chosen_ports_are_reused(tmp_path: Path) -> None:
    first = choose_ports(tmp_path, {"kafka": None, "controller": None, "redis": None})

    assert len(set(first.values())) == 3
    assert choose_ports(tmp_path, {"kafka": None, "redis": None}).items() < first.items()


@needs_sockets
def test_stored_port_in_use_is_replaced(tmp_path: Path) -> None:
    port = choose_ports(tmp_path, {"redis": None})["redis"]

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()
        other = choose_ports(tmp_path, {"redis": None})["redis"]

    assert other != port
    assert json.loads((tmp_path / "ports.json").read_text()) == {"redis": other}


@needs_sockets
def test_requested_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]

        with pytest.raises(StackError, match=f"Port {port}.*redis"):
            choose_ports(tmp_path, {"redis": port})


@needs_sockets
@pytest.mark.parametrize("text", ["", "[]", '{"redis": "a"}', '{"redis": 80}', "\x00"])
def test_invalid_stored_ports_are_ignored(tmp_path: Path, text: str) -> None:
    (tmp_path / "ports.json").write_text(text)

    assert choose_ports(tmp_path, {"redis": None})["redis"] in home_module.PORT_RANGE


def test_passwords_are_created_once_and_owner_only(tmp_path: Path) -> None:
    first = load_or_create_passwords(tmp_path, ["a", "b"])
    more = load_or_create_passwords(tmp_path, ["a", "b", "c"])

    assert first["a"] != first["b"]
    assert first.items() < more.items()
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', "{"])
def test_invalid_stored_passwords_are_not_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets.json").write_text(text)

    with pytest.raises(StackError, match=r"secrets\.json"):
        load_or_create_passwords(tmp_path, ["a"])
    assert (tmp_path / "secrets.json").read_text() == text
