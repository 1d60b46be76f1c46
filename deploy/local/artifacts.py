"""The jars of Kafka on this disk, and whether they are the ones that were locked.

Only the standard library is used here: this runs at every start, the resolver only at install.
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
    """Return the folder that keeps what was fetched: PREAU_CACHE, or `.tools` of the repository."""
    return Path(env.get("PREAU_CACHE") or REPOSITORY / ".tools").resolve()


def read_lock(lock: Path = LOCK) -> tuple[Jar, ...]:
    """List the locked artifacts."""
    entries = tomllib.loads(lock.read_text(encoding="utf-8"))["dependencies"]
    return tuple(
        Jar(entry["groupId"], entry["artifactId"], entry["version"], entry["sha256"])
        for entry in entries
    )


def kafka_jars(cache: Path) -> list[Path]:
    """Return the class path of Kafka, each jar checked; raise StackError on the first bad one."""
    return [verify_jar(cache, jar) for jar in read_lock()]


def verify_jar(cache: Path, jar: Jar) -> Path:
    """Return the path of a jar whose SHA-256 is the locked one; raise StackError otherwise."""
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
