"""The book: a second look reads only what is new, and a run that was ended goes on."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from shared.kit.core.bus import Incoming, Partition
from shared.kit.core.errors import Transient
from shared.kit.tools.reconcile import reading
from shared.kit.tools.reconcile.book import Book, WrongBook
from tests.support.mini_service import Small, TestLog, next_of, space, told

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def test_a_second_look_reads_only_what_is_new(small: Small, tmp_path: Path) -> None:
    log = TestLog(small.bus)
    await small.live(times=5)
    assert (await small.check(log, book_at=tmp_path / "book")).clean
    assert log.fetched == 5
    await small.live(times=2)
    await small.live(key=space(2))

    report = await small.check(log, book_at=tmp_path / "book")

    assert told(report) == []
    assert log.fetched == 8
    assert ("I3", "events", 8) in report.looked


async def test_what_was_found_in_the_log_stays_found(small: Small, tmp_path: Path) -> None:
    await small.live()
    small.put(next_of(small.events()[-1], 2))
    await small.read()
    first = told(await small.check(book_at=tmp_path / "book"))

    assert any("3 follows 1" in line for line in first)
    assert told(await small.check(book_at=tmp_path / "book")) == first


class Breaking(TestLog):
    """Answers so many times, then no more."""

    __test__ = False
    left = 2

    async def fetch(self, partition: Partition, begin: int, limit: int) -> Sequence[Incoming]:
        self.left -= 1
        if self.left < 0:
            raise Transient(reason="gone")
        return await super().fetch(partition, begin, limit)


async def test_a_run_that_was_ended_goes_on_where_it_stood(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CHUNK", 4)
    await small.live(times=10)
    broken = Breaking(small.bus)
    with pytest.raises(Transient):
        await small.check(broken, book_at=tmp_path / "book")
    assert broken.fetched == 8
    log = TestLog(small.bus)

    report = await small.check(log, book_at=tmp_path / "book")

    assert told(report) == []
    assert (log.fetched, ("I3", "events", 10) in report.looked) == (2, True)


async def test_memory_holds_a_slice_and_not_the_log(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CHUNK", 7)
    asked: list[int] = []

    class Counting(TestLog):
        async def fetch(self, partition: Partition, begin: int, limit: int) -> Sequence[Incoming]:
            asked.append(limit)
            return await super().fetch(partition, begin, limit)

    await small.live(times=20)
    assert (await small.check(Counting(small.bus))).clean
    assert max(asked) == 7


def test_another_file_is_no_book(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("Ceci n’est pas un livre.\n" * 50)
    with pytest.raises(WrongBook, match="no book"):
        Book(tmp_path / "notes")
    with Book(tmp_path / "book") as book:
        book.db.execute("PRAGMA user_version = 99")
    with pytest.raises(WrongBook, match="version 99"):
        Book(tmp_path / "book")


def test_a_book_without_a_name_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Book():
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())
