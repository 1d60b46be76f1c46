"""I2 and I3: what the heads say, the log holds."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from shared.kit.core.bus import LogBounds, Partition
from tests.support.inbox_harness import RENNES
from tests.support.mini_service import (
    SPACE,
    TOPIC,
    InMemoryLog,
    MiniService,
    next_event,
    space_id,
    violation_texts,
    with_fields,
)

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
KEY = f"{RENNES}:{SPACE}"


async def test_a_sound_platform_is_clean_and_much_was_looked_at(small: MiniService) -> None:
    await small.publish_ignored()
    for number in range(5):
        await small.publish_and_consume(key=space_id(number), times=3)

    report = await small.check(wait=5)

    assert violation_texts(report) == []
    looked = {what: n for _, what, n in report.looked}
    assert looked["events"] == 16
    assert looked["keys with a head"] == 6
    assert looked["event ids in community's inbox"] == 15
    assert looked["records that community has passed"] == 16
    assert {which for which, _, _ in report.looked} >= {"I2", "I3", "I4", "I5", "I8", "I9", "I10"}
    assert ("I7", "nothing to check: the platform sends nothing outside yet") in report.notes


async def test_what_is_on_its_way_is_no_violation(small: MiniService) -> None:
    await small.publish_and_consume()
    await small.publish(times=2)
    await small.relay()
    await small.publish(times=3)

    report = await small.check()

    assert violation_texts(report) == []
    assert (report.lag, report.waiting) == ({"community": 2}, {"community": 3})


async def test_a_fact_that_was_never_sent_is_lost(small: MiniService) -> None:
    await small.publish_and_consume(times=2)
    await small.publish()
    await small.sql("DELETE FROM outbox")

    (wrong,) = (await small.check()).wrong

    assert (wrong.invariant, wrong.key) == ("I2", KEY)
    assert "its head says 3, the log ends at 2" in wrong.text
    assert "1 facts are lost" in wrong.text


async def test_a_fact_without_a_change_is_found_at_the_second_look(small: MiniService) -> None:
    await small.publish_and_consume(times=2)
    await small.sql("UPDATE heads SET sequence = 1")

    assert violation_texts(await small.check()) == [
        f"I2 {TOPIC}: the log holds 2, its head says 1: no change made it"
    ]


class Living(InMemoryLog):
    """Whenever it is asked what a group has committed, the platform has gone on meanwhile."""

    __test__ = False
    small: MiniService

    async def get_committed_offsets(self, group: str) -> dict[Partition, int]:
        await self.small.publish_and_consume(key=SPACE)
        return {}

    async def get_log_bounds(self, topics: Sequence[str]) -> LogBounds:
        if self.fetched:
            await self.small.publish_and_consume(key=space_id(9), times=2)
        return await super().get_log_bounds(topics)


async def test_a_platform_that_goes_on_meanwhile_raises_no_alarm(small: MiniService) -> None:
    await small.publish_and_consume(times=3)
    log = Living(small.bus)
    log.small = small

    report = await small.check(log)

    assert violation_texts(report) == []
    assert len(small.events()) > 5


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda last: next_event(last, 2), "4 follows 2: 3 missing"),
        (lambda last: next_event(last, 4), "6 follows 2: 3…5 missing"),
        (lambda last: next_event(last, 0), "late, or twice taken"),
        (lambda last: with_fields(last, subject="autre"), "stands here again with another content"),
    ],
    ids=["a gap", "a wide gap", "two ids for one sequence", "two contents for one id"],
)
async def test_what_the_log_may_not_hold(small: MiniService, made: object, said: str) -> None:
    assert callable(made)
    await small.publish_and_consume(times=2)
    small.put_record(made(small.events()[-1]))
    await small.consume()

    report = await small.check()

    assert any(line.startswith("I3") and said in line for line in violation_texts(report)), (
        violation_texts(report)
    )


async def test_what_was_sent_again_is_counted_and_allowed(small: MiniService) -> None:
    await small.publish_and_consume(times=2)
    for event in small.events():
        small.put_record(event)
    await small.consume()

    report = await small.check()

    assert violation_texts(report) == []
    assert ("I3", "repetitions", 2) in report.looked


async def test_a_record_under_another_key_or_in_another_partition(small: MiniService) -> None:
    await small.publish_and_consume()
    first = small.events()[0]
    small.put_record(next_event(first), key="autre")
    wrong_place = (small.partition_of_key(KEY) + 1) % 4
    small.put_record(next_event(first, 2), partition=wrong_place)

    lines = violation_texts(await small.check())

    assert any("its record key is b'autre'" in line for line in lines)
    assert any("its key belongs to partition" in line for line in lines)


async def test_what_the_outbox_holds_is_what_the_log_holds(small: MiniService) -> None:
    await small.publish()
    (row,) = await small.sql("SELECT * FROM outbox")
    await small.relay()
    await small.sql(
        "INSERT INTO outbox (shard, topic, key, value, recorded) VALUES ($1, $2, $3, $4, now())",
        row["shard"],
        row["topic"],
        row["key"],
        row["value"].replace(b'"oui"', b'"non"'),
    )

    assert any(
        "another id or content than the log" in line
        for line in violation_texts(await small.check())
    )


async def test_a_log_that_got_shorter_is_noticed_from_the_book(
    small: MiniService, tmp_path: Path
) -> None:
    await small.publish_and_consume(times=2)
    assert (await small.check(book_at=tmp_path / "book")).clean
    small.bus._log[Partition(TOPIC, small.partition_of_key(KEY))].pop()

    lines = violation_texts(await small.check(book_at=tmp_path / "book"))

    assert any("the log ends at 1 and was read up to 2: records are gone" in x for x in lines)


async def test_strangers_facts_have_no_order_but_are_read(small: MiniService) -> None:
    await small.publish_and_consume()
    stranger = with_fields(small.events()[0], source="/ailleurs", sequence="0000000007")
    small.put_record(with_fields(next_event(stranger), tenant=str(RENNES)))
    await small.consume()

    report = await small.check()

    assert violation_texts(report) == []
    assert ("I3", "events of others on our topics", 1) in report.looked
