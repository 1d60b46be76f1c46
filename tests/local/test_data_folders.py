"""Wrong data folders: a one-line error before any server starts."""

from pathlib import Path
from uuid import UUID

import pytest

from deploy.local import kafka, kafka_users, postgres
from deploy.local.errors import StackError
from deploy.local.servers import last_log_line

PASSWORDS = dict.fromkeys(kafka_users.secret_names(), "word")
LISTENING = kafka.BrokerListener(20_000, 20_001, PASSWORDS)
CLUSTER = "4L6g3nShT-eMCtK--X86sw"


async def test_complete_kafka_folder_keeps_its_cluster_id(tmp_path: Path) -> None:
    _a_kafka_folder(tmp_path)

    await kafka.prepare_data_folder(tmp_path, [], LISTENING)

    assert kafka.read_cluster_id(tmp_path) == CLUSTER
    assert "CLIENTS://127.0.0.1:20000" in (tmp_path / "kafka/server.properties").read_text()


def test_cluster_id_never_begins_with_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    # One id in 64 begins with a dash, and the formatting tool then asks for its argument.
    uuids = iter([UUID(bytes=b"\xf8" + bytes(15)), UUID(bytes=bytes(16))])
    monkeypatch.setattr(kafka, "uuid4", lambda: next(uuids))

    assert kafka.new_cluster_id() == "A" * 22


@pytest.mark.parametrize("line", ["cluster.id=another", "node.id=7", "cluster.id", ""])
async def test_altered_kafka_properties_are_named(tmp_path: Path, line: str) -> None:
    meta = _a_kafka_folder(tmp_path)
    key = line.partition("=")[0] or "cluster.id"
    other_lines = [old for old in meta.read_text().splitlines() if not old.startswith(key)]
    meta.write_text("\n".join([*other_lines, line]))

    with pytest.raises(StackError, match=r"meta\.properties was altered.*remove"):
        await kafka.prepare_data_folder(tmp_path, [], LISTENING)


@pytest.mark.parametrize("name", ["data/meta.properties", "cluster.id"])
async def test_missing_kafka_file_is_named(tmp_path: Path, name: str) -> None:
    _a_kafka_folder(tmp_path)
    (tmp_path / "kafka" / name).unlink()

    with pytest.raises(StackError, match=f"{Path(name).name} is missing"):
        await kafka.prepare_data_folder(tmp_path, [], LISTENING)


async def test_complete_postgres_folder_is_accepted(tmp_path: Path) -> None:
    _a_postgres_folder(tmp_path)

    await postgres.prepare_data_folder(tmp_path, "word")


@pytest.mark.parametrize("version", ["15\n", "", "é"])
async def test_other_postgres_version_is_refused(tmp_path: Path, version: str) -> None:
    data = _a_postgres_folder(tmp_path)
    (data / "PG_VERSION").write_text(version)

    with pytest.raises(StackError, match="is no data folder of PostgreSQL 18"):
        await postgres.prepare_data_folder(tmp_path, "word")


@pytest.mark.parametrize("name", ["PG_VERSION", "global/pg_control"])
async def test_missing_postgres_file_is_named(tmp_path: Path, name: str) -> None:
    data = _a_postgres_folder(tmp_path)
    (data / name).unlink()

    with pytest.raises(StackError, match=f"{Path(name).name}: (none|missing)"):
        await postgres.prepare_data_folder(tmp_path, "word")


def test_last_log_line_is_the_line_with_the_error(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("starting\nFATAL: no room\nbye\n\n")

    assert last_log_line(log) == "FATAL: no room"


def test_empty_log_is_described_as_empty(tmp_path: Path) -> None:
    (tmp_path / "log").touch()

    assert last_log_line(tmp_path / "log") == "it wrote no log"


def _a_kafka_folder(home: Path) -> Path:
    (home / "kafka" / "data").mkdir(parents=True)
    (home / "kafka" / "cluster.id").write_text(CLUSTER + "\n")
    meta = home / "kafka" / "data" / "meta.properties"
    meta.write_text(f"#\ncluster.id={CLUSTER}\nnode.id=1\nversion=1\n")
    return meta


def _a_postgres_folder(home: Path) -> Path:
    data = home / "postgres"
    (data / "global").mkdir(parents=True)
    (data / "PG_VERSION").write_text("18\n")
    (data / "global" / "pg_control").touch()
    return data
