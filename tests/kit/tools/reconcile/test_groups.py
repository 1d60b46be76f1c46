"""I4, I5 and I8: each group handled every event once and in order."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from shared.kit.core.bus import Partition
from shared.kit.tools.reconcile.groups import smallest_uuid7
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


async def test_event_passed_but_not_applied_is_reported(mini_service: MiniService) -> None:
    await mini_service.publish_and_consume(times=3)
    (lost,) = await mini_service.sql(
        "DELETE FROM inbox WHERE event_id = (SELECT event_id FROM inbox LIMIT 1) RETURNING event_id"
    )

    (violation,) = (await mini_service.check()).wrong

    assert (violation.invariant, violation.key) == ("I4", KEY)
    assert f"{lost['event_id']} at {TOPIC}/" in violation.text
    assert "was passed, but neither applied nor parked" in violation.text


async def test_expired_inbox_row_is_not_reported(mini_service: MiniService) -> None:
    await mini_service.publish_and_consume()
    month_ago = UUID(bytes=smallest_uuid7(datetime.now(UTC) - timedelta(days=31)))
    old = with_fields(next_event(mini_service.events()[0]), id=str(month_ago))
    mini_service.put_record(with_fields(old, source="/ailleurs"))
    await mini_service.consume()
    await mini_service.sql("DELETE FROM inbox WHERE event_id = $1", month_ago)

    assert violation_texts(await mini_service.check()) == []


async def test_applied_event_missing_in_log_is_reported(mini_service: MiniService) -> None:
    await mini_service.publish_and_consume()
    unknown_id = uuid7()
    await mini_service.sql("INSERT INTO inbox VALUES ('community', $1)", unknown_id)

    (violation,) = (await mini_service.check()).wrong

    assert (violation.invariant, violation.key) == ("I4", str(unknown_id))
    assert "contains no such event" in violation.text


@pytest.mark.parametrize("column", ["applied", "ignored", "duplicate"])
async def test_wrong_counter_is_reported(mini_service: MiniService, column: str) -> None:
    await mini_service.publish_ignored()
    await mini_service.publish_and_consume()
    await mini_service.sql(f"UPDATE positions SET {column} = {column} + 1 WHERE next_offset > 0")

    lines = violation_texts(await mini_service.check())

    assert any("passed 2 records, but" in line and "make 3" in line for line in lines)


async def test_counters_that_differ_from_log_are_reported(mini_service: MiniService) -> None:
    await mini_service.publish_ignored()
    await mini_service.publish_and_consume()
    assignments = "applied = applied + 1, ignored = ignored - 1"
    await mini_service.sql(f"UPDATE positions SET {assignments} WHERE next_offset > 0")
    assert violation_texts(await mini_service.check()) == [
        "I4 community: 0 ignored events counted, 1 expected from the log"
    ]
    assignments = "applied = applied - 2, ignored = ignored + 1, duplicate = duplicate + 1"
    await mini_service.sql(f"UPDATE positions SET {assignments} WHERE next_offset > 0")
    assert violation_texts(await mini_service.check()) == [
        "I4 community: 1 duplicates counted, 0 expected from the log"
    ]


async def test_unreadable_record_without_dead_letter_is_reported(mini_service: MiniService) -> None:
    await mini_service.publish_and_consume()
    number = mini_service.partition_of_key(KEY)
    for value in (b"{", None, b'{"id": "\\u0000"}'):
        mini_service.bus.append(Partition(TOPIC, number), b"clef", value)
    await mini_service.consume()
    await mini_service.relay()

    report = await mini_service.check()
    assert violation_texts(report) == []
    assert ("I3", "unreadable records", 3) in report.looked

    await mini_service.sql('DELETE FROM parked WHERE "offset" = 2')
    lines = violation_texts(await mini_service.check())
    assert any("cannot be read" in line and "but is no dead letter" in line for line in lines)


async def test_parked_events_are_counted_without_violation(mini_service: MiniService) -> None:
    await mini_service.publish_and_consume("poison")
    await mini_service.publish_and_consume("invalid", key=space_id(2))
    await mini_service.publish_and_consume("oui", times=2)

    report = await mini_service.check()

    assert violation_texts(report) == []
    assert ("I5", "events that community parked", 4) in report.looked


async def test_dead_event_without_dead_letter_is_reported(mini_service: MiniService) -> None:
    await mini_service.publish_and_consume("invalid")
    await mini_service.sql("DELETE FROM heads WHERE topic = 'dead.community'")

    assert any(
        "is dead, but its dead letter was not published" in line
        for line in violation_texts(await mini_service.check())
    )


async def test_parked_event_missing_in_log_is_reported(mini_service: MiniService) -> None:
    await mini_service.publish_and_consume("poison")
    await mini_service.sql("UPDATE parked SET event_id = $1", uuid7())

    lines = violation_texts(await mini_service.check())

    assert "I4 community: parked here, but no such event was passed" in lines


async def test_event_applied_before_a_parked_one_is_reported(mini_service: MiniService) -> None:
    await mini_service.publish_and_consume("poison")
    await mini_service.publish_and_consume(times=2)
    await mini_service.sql('DELETE FROM parked WHERE "offset" = 2')
    await mini_service.sql("UPDATE positions SET applied = applied + 1 WHERE next_offset > 0")

    (violation,) = (await mini_service.check()).wrong

    assert (violation.invariant, violation.key) == ("I5", KEY)
    assert "was applied before 0, which is still parked" in violation.text


async def test_skipped_event_does_not_block_its_key(mini_service: MiniService) -> None:
    await mini_service.publish_and_consume("invalid")
    await mini_service.sql("UPDATE parked SET state = 'skipped'")
    await mini_service.publish_and_consume(times=2)

    assert violation_texts(await mini_service.check()) == []


async def test_committed_offset_beyond_position_is_reported(mini_service: MiniService) -> None:
    await mini_service.publish_and_consume(times=2)
    partition = Partition(TOPIC, mini_service.partition_of_key(KEY))

    assert (
        violation_texts(await mini_service.check(InMemoryLog(mini_service.bus, {partition: 2})))
        == []
    )
    (violation,) = (await mini_service.check(InMemoryLog(mini_service.bus, {partition: 3}))).wrong

    assert (violation.invariant, violation.key) == ("I8", f"{TOPIC}/{partition.number}")
    assert "committed 3, applied up to 2" in violation.text


async def test_position_beyond_log_end_is_reported(mini_service: MiniService) -> None:
    await mini_service.publish_and_consume(times=2)
    await mini_service.sql(
        "UPDATE positions SET next_offset = 9, applied = 9 WHERE partition = $1",
        mini_service.partition_of_key(KEY),
    )

    lines = violation_texts(await mini_service.check())

    assert any("passed up to 9, where the log ends at 2" in line for line in lines)


async def test_readable_event_marked_unreadable_is_reported(mini_service: MiniService) -> None:
    await mini_service.publish_and_consume("invalid")
    await mini_service.sql("UPDATE parked SET event_id = NULL, key = NULL, type = NULL")

    lines = violation_texts(await mini_service.check())

    assert any("as unreadable, but it can be read" in line for line in lines)


async def test_escaped_backslash_is_not_a_nul_character(mini_service: MiniService) -> None:
    await mini_service.publish("\\u0000, dit-elle")
    await mini_service.relay()

    report = await mini_service.check()

    assert violation_texts(report) == []
    assert ("I3", "unreadable records", 0) in report.looked
