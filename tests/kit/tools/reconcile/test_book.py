"""The book: a second look reads only what is new, and a run that was ended goes on."""

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


async def test_a_second_look_reads_only_what_is_new(small: MiniService, tmp_path: Path) -> None:
    log = InMemoryLog(small.bus)
    await small.publish_and_consume(times=5)
    assert (await small.check(log, book_at=tmp_path / "book")).clean
    assert log.fetched == 5
    await small.publish_and_consume(times=2)
    await small.publish_and_consume(key=space_id(2))

    report = await small.check(log, book_at=tmp_path / "book")

    assert violation_texts(report) == []
    assert log.fetched == 8
    assert ("I3", "events", 8) in report.looked


async def test_what_was_found_in_the_log_stays_found(small: MiniService, tmp_path: Path) -> None:
    await small.publish_and_consume()
    small.put_record(next_event(small.events()[-1], 2))
    await small.consume()
    first = violation_texts(await small.check(book_at=tmp_path / "book"))

    assert any("3 follows 1" in line for line in first)
    assert violation_texts(await small.check(book_at=tmp_path / "book")) == first


class Breaking(InMemoryLog):
    """Answers so many times, then no more."""

    __test__ = False
    left = 2

    async def fetch(self, partition: Partition, begin: int, limit: int) -> Sequence[IncomingRecord]:
        self.left -= 1
        if self.left < 0:
            raise Transient(reason="gone")
        return await super().fetch(partition, begin, limit)


async def test_a_run_that_was_ended_goes_on_where_it_stood(
    small: MiniService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CHUNK", 4)
    await small.publish_and_consume(times=10)
    broken = Breaking(small.bus)
    with pytest.raises(Transient):
        await small.check(broken, book_at=tmp_path / "book")
    assert broken.fetched == 8
    log = InMemoryLog(small.bus)

    report = await small.check(log, book_at=tmp_path / "book")

    assert violation_texts(report) == []
    assert (log.fetched, ("I3", "events", 10) in report.looked) == (2, True)


async def test_memory_holds_a_slice_and_not_the_log(
    small: MiniService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CHUNK", 7)
    asked: list[int] = []

    class Counting(InMemoryLog):
        async def fetch(
            self, partition: Partition, begin: int, limit: int
        ) -> Sequence[IncomingRecord]:
            asked.append(limit)
            return await super().fetch(partition, begin, limit)

    await small.publish_and_consume(times=20)
    assert (await small.check(Counting(small.bus))).clean
    assert max(asked) == 7


def test_another_file_is_no_book(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("Ceci n’est pas un livre.\n" * 50)
    with pytest.raises(InvalidLogIndex, match="no book"):
        LogIndex(tmp_path / "notes")
    with LogIndex(tmp_path / "book") as book:
        book.db.execute("PRAGMA user_version = 99")
    with pytest.raises(InvalidLogIndex, match="version 99"):
        LogIndex(tmp_path / "book")


def test_a_book_without_a_name_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with LogIndex():
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())
