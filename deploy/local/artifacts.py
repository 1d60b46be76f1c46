"""The jars of Kafka in the cache, verified against the lock.

Imports the standard library only: this runs at every start, the Maven resolver only at install.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import StackError

REPOSITORY = Path(__file__).resolve().parents[2]
SPEC = Path(__file__).with_name("jgo.toml")
LOCK = Path(__file__).with_name("jgo.lock.toml")


@dataclass(frozen=True)
class Jar:
    """A locked artifact: its Maven coordinates and the SHA-256 of its file."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def filename(self) -> str:
        """The file name in the cache, as in the Maven repository."""
        return f"{self.artifact}-{self.version}.jar"


def cache_folder(env: Mapping[str, str]) -> Path:
    """Return the folder of downloaded jars: PREAU_CACHE, or `.tools` of the repository."""
    return Path(env.get("PREAU_CACHE") or REPOSITORY / ".tools").resolve()


def read_lock(lock: Path = LOCK) -> tuple[Jar, ...]:
    """List the locked artifacts."""
    entries = tomllib.loads(lock.read_text(encoding="utf-8"))["dependencies"]
    return tuple(
        Jar(entry["groupId"], entry["artifactId"], entry["version"], entry["sha256"])
        for entry in entries
    )


def kafka_jars(cache: Path) -> list[Path]:
    """Return Kafka's verified class path. Raises StackError for the first wrong jar."""
    return [verify_jar(cache, jar) for jar in read_lock()]


def verify_jar(cache: Path, jar: Jar) -> Path:
    """Return the path of a jar if its SHA-256 is the locked one. Raises StackError otherwise."""
    path = cache / "jars" / jar.filename
    try:
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        message = f"{path} is missing: run `make install`."
        raise StackError(message) from None
    except PermissionError:
        message = f"{path} may not be read by this user: give it read permission."
        raise StackError(message) from None
    if checksum != jar.sha256:
        message = f"{path} is not the file that was locked: remove it and run `make install`."
        raise StackError(message)
    return path
