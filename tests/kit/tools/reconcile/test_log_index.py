"""Log index: a second run reads only new records, and an interrupted run continues."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from shared.kit.core.bus import IncomingRecord, Partition
from shared.kit.core.errors import Transient
from shared.kit.tools.reconcile import log_indexer as reading
from shared.kit.tools.reconcile.log_index import InvalidLogIndex, LogIndex
from tests.support.mini_service import (
    InMemoryLog,
    MiniService,
    next_event,
    space_id,
    violation_texts,
)

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def test_second_run_reads_only_new_records(mini_service: MiniService, tmp_path: Path) -> None:
    log = InMemoryLog(mini_service.bus)
    await mini_service.publish_and_consume(times=5)
    assert (await mini_service.check(log, index_path=tmp_path / "index")).clean
    assert log.fetched == 5
    await mini_service.publish_and_consume(times=2)
    await mini_service.publish_and_consume(key=space_id(2))

    report = await mini_service.check(log, index_path=tmp_path / "index")

    assert violation_texts(report) == []
    assert log.fetched == 8
    assert ("I3", "events", 8) in report.looked


async def test_violations_in_the_log_stay_in_the_index(
    mini_service: MiniService, tmp_path: Path
) -> None:
    await mini_service.publish_and_consume()
    mini_service.put_record(next_event(mini_service.events()[-1], 2))
    await mini_service.consume()
    first = violation_texts(await mini_service.check(index_path=tmp_path / "index"))

    assert any("3 follows 1" in line for line in first)
    assert violation_texts(await mini_service.check(index_path=tmp_path / "index")) == first


class FailingLog(InMemoryLog):
    """Answers a limited number of requests, then raises `Transient`."""

    __test__ = False
    remaining_requests = 2

    async def fetch(self, partition: Partition, begin: int, limit: int) -> Sequence[IncomingRecord]:
        self.remaining_requests -= 1
        if self.remaining_requests < 0:
            raise Transient(internal_reason="gone")
        return await super().fetch(partition, begin, limit)


async def test_interrupted_run_continues_where_it_stopped(
    mini_service: MiniService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CHUNK_RECORDS", 4)
    await mini_service.publish_and_consume(times=10)
    broken = FailingLog(mini_service.bus)
    with pytest.raises(Transient):
        await mini_service.check(broken, index_path=tmp_path / "index")
    assert broken.fetched == 8
    log = InMemoryLog(mini_service.bus)

    report = await mini_service.check(log, index_path=tmp_path / "index")

    assert violation_texts(report) == []
    assert (log.fetched, ("I3", "events", 10) in report.looked) == (2, True)


async def test_log_is_read_in_chunks(
    mini_service: MiniService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CHUNK_RECORDS", 7)
    limits: list[int] = []

    class Counting(InMemoryLog):
        async def fetch(
            self, partition: Partition, begin: int, limit: int
        ) -> Sequence[IncomingRecord]:
            limits.append(limit)
            return await super().fetch(partition, begin, limit)

    await mini_service.publish_and_consume(times=20)
    assert (await mini_service.check(Counting(mini_service.bus))).clean
    assert max(limits) == 7


def test_invalid_file_or_version_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("Ceci n’est pas un livre.\n" * 50)
    with pytest.raises(InvalidLogIndex, match="not a log index"):
        LogIndex(tmp_path / "notes")
    with LogIndex(tmp_path / "index") as index:
        index.db.execute("PRAGMA user_version = 99")
    with pytest.raises(InvalidLogIndex, match="version 99"):
        LogIndex(tmp_path / "index")


def test_index_without_path_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with LogIndex():
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())
