"""Download the locked jars into the cache, and renew the lock.

Only this module uses the network, in `make install`, through jgo's resolver: the repositories of
the user's jgo configuration, or jgo's default.
"""

import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from jgo.config import GlobalSettings
from jgo.env import EnvironmentSpec, LinkStrategy, LockFile
from jgo.env._lockfile import compute_spec_hash  # private, but the only definition of the hash
from jgo.maven import MavenContext
from jgo.parse import Coordinate

from deploy.local.artifacts import LOCK, SPEC, Jar, read_lock, verify_jar
from deploy.local.errors import StackError

RESPONSE_TIMEOUT_SECONDS = 30
MAX_PARALLEL_DOWNLOADS = 4


def fetch_artifacts(cache: Path) -> int:
    """Download the missing locked artifacts and verify all; return the number of downloads."""
    _reject_stale_lock()
    missing = [jar for jar in read_lock() if not _is_present(cache, jar)]
    if missing:
        _download(cache, missing)
    return len(missing)


def lock_artifacts() -> int:
    """Resolve `jgo.toml` again and write the lock; return its number of artifacts."""
    spec = EnvironmentSpec.load(SPEC)
    with tempfile.TemporaryDirectory() as folder:
        maven = _maven(Path(folder))
        exclusions = [maven.project(*name.split(":")) for name in spec.exclusions]
        dependencies = [
            maven.create_dependency(Coordinate.parse(text), exclusions) for text in spec.coordinates
        ]
        direct, transitive = maven.resolver.resolve(dependencies)
        content = LockFile.from_resolved_dependencies(
            [*direct, *transitive],
            environment_name=spec.name,
            spec_hash=compute_spec_hash(SPEC),
            link_strategy=LinkStrategy.COPY.name,
        )
    # Without the time of day, so that two runs on one day write the same file.
    content.generated = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    content.save(LOCK)
    return len(content.dependencies)


def _reject_stale_lock() -> None:
    locked = LockFile.load(LOCK).spec_hash
    if locked != compute_spec_hash(SPEC):
        message = f"{LOCK.name} is older than {SPEC.name}: run `python -m deploy.local lock`."
        raise StackError(message)


def _is_present(cache: Path, jar: Jar) -> bool:
    try:
        verify_jar(cache, jar)
    except StackError:
        return False
    return True


def _download(cache: Path, jars: Iterable[Jar]) -> None:
    target = cache / "jars"
    target.mkdir(parents=True, exist_ok=True)
    # Each run has a temporary folder: an interrupted download is never taken as complete.
    with tempfile.TemporaryDirectory(dir=cache, prefix=".fetch-") as folder:
        maven = _maven(Path(folder))
        with ThreadPoolExecutor(MAX_PARALLEL_DOWNLOADS) as pool:
            for jar, path in pool.map(lambda jar: (jar, _download_jar(maven, jar)), jars):
                path.chmod(0o644)
                path.replace(target / jar.filename)
                verify_jar(cache, jar)


def _download_jar(maven: MavenContext, jar: Jar) -> Path:
    try:
        component = maven.project(jar.group, jar.artifact).at_version(jar.version)
        return Path(component.artifact().resolve())
    except Exception as error:  # the resolver raises the many types of its HTTP library
        message = (
            f"{jar.filename} could not be fetched ({type(error).__name__}): "
            "check the network or the Maven mirror, then run `make install` again."
        )
        raise StackError(message) from error


def _maven(folder: Path) -> MavenContext:
    mirrors = GlobalSettings.load().repositories
    return MavenContext(
        repo_cache=folder,
        remote_repos=mirrors or None,
        timeout=RESPONSE_TIMEOUT_SECONDS,
    )
