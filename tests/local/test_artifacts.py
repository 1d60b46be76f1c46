import re
from pathlib import Path

import pytest

from deploy.local.artifacts import LOCK, Jar, cache_folder, read_lock, verify_jar
from deploy.local.errors import StackError
from deploy.local.fetch import _refuse_stale_lock

EMPTY_FILE = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
JAR = Jar("org.example", "thing", "1.0", EMPTY_FILE)


def test_the_lock_belongs_to_the_specification() -> None:
    _refuse_stale_lock()


def test_the_lock_names_files_and_sums_and_no_host() -> None:
    jars = read_lock()

    assert {"kafka_2.13", "slf4j-simple"} <= {jar.artifact for jar in jars}
    assert all(re.fullmatch("[0-9a-f]{64}", jar.sha256) for jar in jars)
    assert "://" not in LOCK.read_text()


def test_the_cache_is_said_by_the_environment(tmp_path: Path) -> None:
    assert cache_folder({"PREAU_CACHE": str(tmp_path)}) == tmp_path
    assert cache_folder({}).name == ".tools"


def test_a_jar_with_the_locked_sum_is_taken(tmp_path: Path) -> None:
    path = _put(tmp_path, b"")

    assert verify_jar(tmp_path, JAR) == path


def test_a_missing_jar_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"thing-1\.0\.jar is missing: run `make install`"):
        verify_jar(tmp_path, JAR)


def test_an_altered_jar_is_named_with_what_to_do(tmp_path: Path) -> None:
    _put(tmp_path, b"other")

    with pytest.raises(StackError, match=r"thing-1\.0\.jar is not .*`make install`"):
        verify_jar(tmp_path, JAR)


def _put(cache: Path, content: bytes) -> Path:
    path = cache / "jars" / JAR.filename
    path.parent.mkdir()
    path.write_bytes(content)
    return path
