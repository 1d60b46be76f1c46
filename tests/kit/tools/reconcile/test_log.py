"""I2 and I3: the log contains what the heads count."""

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


async def test_valid_platform_has_no_violations(mini_service: MiniService) -> None:
    await mini_service.publish_ignored()
    for number in range(5):
        await mini_service.publish_and_consume(key=space_id(number), times=3)

    report = await mini_service.check(wait=5)

    assert violation_texts(report) == []
    checked = {subject: count for _, subject, count in report.looked}
    assert checked["events"] == 16
    assert checked["keys with a head"] == 6
    assert checked["event ids in community's inbox"] == 15
    assert checked["records that community has passed"] == 16
    assert {invariant for invariant, _, _ in report.looked} >= {
        "I2",
        "I3",
        "I4",
        "I5",
        "I8",
        "I9",
        "I10",
    }
    assert ("I7", "nothing to check: the platform sends nothing outside yet") in report.notes


async def test_unsent_and_unapplied_events_are_lag(mini_service: MiniService) -> None:
    await mini_service.publish_and_consume()
    await mini_service.publish(times=2)
    await mini_service.relay()
    await mini_service.publish(times=3)

    report = await mini_service.check()

    assert violation_texts(report) == []
    assert (report.lag, report.waiting) == ({"community": 2}, {"community": 3})


async def test_event_never_sent_is_reported(mini_service: MiniService) -> None:
    await mini_service.publish_and_consume(times=2)
    await mini_service.publish()
    await mini_service.sql("DELETE FROM outbox")

    (violation,) = (await mini_service.check()).wrong

    assert (violation.invariant, violation.key) == ("I2", KEY)
    assert "its head says 3, the log ends at 2" in violation.text
    assert "1 events are lost" in violation.text


async def test_event_beyond_its_head_is_reported(mini_service: MiniService) -> None:
    await mini_service.publish_and_consume(times=2)
    await mini_service.sql("UPDATE heads SET sequence = 1")

    assert violation_texts(await mini_service.check()) == [
        f"I2 {TOPIC}: the log holds 2, its head says 1: no change recorded it"
    ]


class RunningPlatformLog(InMemoryLog):
    """A log whose platform publishes more events during the check."""

    __test__ = False
    mini_service: MiniService

    async def get_committed_offsets(self, group: str) -> dict[Partition, int]:
        await self.mini_service.publish_and_consume(key=SPACE)
        return {}

    async def get_log_bounds(self, topics: Sequence[str]) -> LogBounds:
        if self.fetched:
            await self.mini_service.publish_and_consume(key=space_id(9), times=2)
        return await super().get_log_bounds(topics)


async def test_running_platform_raises_no_false_alarm(mini_service: MiniService) -> None:
    await mini_service.publish_and_consume(times=3)
    log = RunningPlatformLog(mini_service.bus)
    log.mini_service = mini_service

    report = await mini_service.check(log)

    assert violation_texts(report) == []
    assert len(mini_service.events()) > 5


@pytest.mark.parametrize(
    ("make_event", "expected"),
    [
        (lambda last: next_event(last, 2), "4 follows 2: 3 missing"),
        (lambda last: next_event(last, 4), "6 follows 2: 3…5 missing"),
        (lambda last: next_event(last, 0), "late, or used twice"),
        (lambda last: with_fields(last, subject="autre"), "is here again with another content"),
    ],
    ids=["a gap", "a wide gap", "two ids for one sequence", "two contents for one id"],
)
async def test_invalid_sequence_or_content_is_reported(
    mini_service: MiniService, make_event: object, expected: str
) -> None:
    assert callable(make_event)
    await mini_service.publish_and_consume(times=2)
    mini_service.put_record(make_event(mini_service.events()[-1]))
    await mini_service.consume()

    report = await mini_service.check()

    assert any(line.startswith("I3") and expected in line for line in violation_texts(report)), (
        violation_texts(report)
    )


async def test_repeated_records_are_counted_without_violation(mini_service: MiniService) -> None:
    await mini_service.publish_and_consume(times=2)
    for event in mini_service.events():
        mini_service.put_record(event)
    await mini_service.consume()

    report = await mini_service.check()

    assert violation_texts(report) == []
    assert ("I3", "repetitions", 2) in report.looked


async def test_wrong_record_key_or_partition_is_reported(mini_service: MiniService) -> None:
    await mini_service.publish_and_consume()
    first = mini_service.events()[0]
    mini_service.put_record(next_event(first), key="autre")
    wrong_place = (mini_service.partition_of_key(KEY) + 1) % 4
    mini_service.put_record(next_event(first, 2), partition=wrong_place)

    lines = violation_texts(await mini_service.check())

    assert any("its record key is b'autre'" in line for line in lines)
    assert any("its key belongs to partition" in line for line in lines)


async def test_outbox_row_that_differs_from_log_is_reported(mini_service: MiniService) -> None:
    await mini_service.publish()
    (row,) = await mini_service.sql("SELECT * FROM outbox")
    await mini_service.relay()
    await mini_service.sql(
        "INSERT INTO outbox (shard, topic, key, value, recorded) VALUES ($1, $2, $3, $4, now())",
        row["shard"],
        row["topic"],
        row["key"],
        row["value"].replace(b'"oui"', b'"non"'),
    )

    assert any(
        "another id or content than the log" in line
        for line in violation_texts(await mini_service.check())
    )


async def test_truncated_log_is_reported_with_kept_index(
    mini_service: MiniService, tmp_path: Path
) -> None:
    await mini_service.publish_and_consume(times=2)
    assert (await mini_service.check(index_path=tmp_path / "index")).clean
    mini_service.bus._log[Partition(TOPIC, mini_service.partition_of_key(KEY))].pop()

    lines = violation_texts(await mini_service.check(index_path=tmp_path / "index"))

    assert any("the log ends at 1 and was read up to 2: records are gone" in line for line in lines)


async def test_events_of_other_systems_have_no_order(mini_service: MiniService) -> None:
    await mini_service.publish_and_consume()
    foreign_event = with_fields(mini_service.events()[0], source="/ailleurs", sequence="0000000007")
    mini_service.put_record(with_fields(next_event(foreign_event), tenant=str(RENNES)))
    await mini_service.consume()

    report = await mini_service.check()

    assert violation_texts(report) == []
    assert ("I3", "events of other systems on our topics", 1) in report.looked
