import re
from pathlib import Path

import pytest

from deploy.local.artifacts import LOCK, Jar, cache_folder, read_lock, verify_jar
from deploy.local.errors import StackError
from deploy.local.fetch import _reject_stale_lock

EMPTY_FILE = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
JAR = Jar("org.example", "thing", "1.0", EMPTY_FILE)


def test_lock_matches_the_specification() -> None:
    _reject_stale_lock()


def test_lock_has_files_and_checksums_without_hosts() -> None:
    jars = read_lock()

    assert {"kafka_2.13", "slf4j-simple"} <= {jar.artifact for jar in jars}
    assert all(re.fullmatch("[0-9a-f]{64}", jar.sha256) for jar in jars)
    assert "://" not in LOCK.read_text()


def test_cache_folder_is_set_by_the_environment(tmp_path: Path) -> None:
    assert cache_folder({"PREAU_CACHE": str(tmp_path)}) == tmp_path
    assert cache_folder({}).name == ".tools"


def test_jar_with_the_locked_checksum_is_accepted(tmp_path: Path) -> None:
    path = _write_jar(tmp_path, b"")

    assert verify_jar(tmp_path, JAR) == path


def test_missing_jar_is_named_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"thing-1\.0\.jar is missing: run `make install`"):
        verify_jar(tmp_path, JAR)


def test_altered_jar_is_named_with_the_next_step(tmp_path: Path) -> None:
    _write_jar(tmp_path, b"other")

    with pytest.raises(StackError, match=r"thing-1\.0\.jar is not .*`make install`"):
        verify_jar(tmp_path, JAR)


def _write_jar(cache: Path, content: bytes) -> Path:
    path = cache / "jars" / JAR.filename
    path.parent.mkdir()
    path.write_bytes(content)
    return path
