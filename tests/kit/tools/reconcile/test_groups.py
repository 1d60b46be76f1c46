"""I4, I5 and I8: what a group made of the log."""

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


async def test_an_event_that_was_passed_but_not_applied(small: MiniService) -> None:
    await small.publish_and_consume(times=3)
    (lost,) = await small.sql(
        "DELETE FROM inbox WHERE event_id = (SELECT event_id FROM inbox LIMIT 1) RETURNING event_id"
    )

    (wrong,) = (await small.check()).wrong

    assert (wrong.invariant, wrong.key) == ("I4", KEY)
    assert f"{lost['event_id']} at {TOPIC}/" in wrong.text
    assert "was passed, but neither applied nor set aside" in wrong.text


async def test_what_the_inbox_has_forgotten_by_age_is_no_violation(small: MiniService) -> None:
    await small.publish_and_consume()
    month_ago = UUID(bytes=smallest_uuid7(datetime.now(UTC) - timedelta(days=31)))
    old = with_fields(next_event(small.events()[0]), id=str(month_ago))
    small.put_record(with_fields(old, source="/ailleurs"))
    await small.consume()
    await small.sql("DELETE FROM inbox WHERE event_id = $1", month_ago)

    assert violation_texts(await small.check()) == []


async def test_an_event_applied_that_the_log_does_not_hold(small: MiniService) -> None:
    await small.publish_and_consume()
    made_up = uuid7()
    await small.sql("INSERT INTO inbox VALUES ('community', $1)", made_up)

    (wrong,) = (await small.check()).wrong

    assert (wrong.invariant, wrong.key) == ("I4", str(made_up))
    assert "holds no such event" in wrong.text


@pytest.mark.parametrize("column", ["applied", "ignored", "duplicate"])
async def test_a_counter_that_is_one_too_many(small: MiniService, column: str) -> None:
    await small.publish_ignored()
    await small.publish_and_consume()
    await small.sql(f"UPDATE positions SET {column} = {column} + 1 WHERE next_offset > 0")

    lines = violation_texts(await small.check())

    assert any("passed 2 records, but" in line and "make 3" in line for line in lines)


async def test_counters_that_only_agree_with_each_other(small: MiniService) -> None:
    await small.publish_ignored()
    await small.publish_and_consume()
    moved = "applied = applied + 1, ignored = ignored - 1"
    await small.sql(f"UPDATE positions SET {moved} WHERE next_offset > 0")
    assert violation_texts(await small.check()) == [
        "I4 community: says it ignored 0; the log holds 1 of no interest"
    ]
    moved = "applied = applied - 2, ignored = ignored + 1, duplicate = duplicate + 1"
    await small.sql(f"UPDATE positions SET {moved} WHERE next_offset > 0")
    assert violation_texts(await small.check()) == [
        "I4 community: says that 1 came twice; the log holds 0 repetitions"
    ]


async def test_poison_is_a_dead_letter_or_else_a_violation(small: MiniService) -> None:
    await small.publish_and_consume()
    number = small.partition_of_key(KEY)
    for value in (b"{", None, b'{"id": "\\u0000"}'):
        small.bus.append(Partition(TOPIC, number), b"clef", value)
    await small.consume()
    await small.relay()

    report = await small.check()
    assert violation_texts(report) == []
    assert ("I3", "records that nobody can read", 3) in report.looked

    await small.sql('DELETE FROM parked WHERE "offset" = 2')
    lines = violation_texts(await small.check())
    assert any("cannot be read" in line and "is no dead letter" in line for line in lines)


async def test_what_nobody_can_apply_is_set_aside_and_accounted_for(small: MiniService) -> None:
    await small.publish_and_consume("poison")
    await small.publish_and_consume("invalid", key=space_id(2))
    await small.publish_and_consume("oui", times=2)

    report = await small.check()

    assert violation_texts(report) == []
    assert ("I5", "events that community set aside", 4) in report.looked


async def test_a_death_that_no_letter_tells_of(small: MiniService) -> None:
    await small.publish_and_consume("invalid")
    await small.sql("DELETE FROM heads WHERE topic = 'dead.community'")

    assert any(
        "is dead, and no dead letter tells of it" in x for x in violation_texts(await small.check())
    )


async def test_something_set_aside_that_was_never_there(small: MiniService) -> None:
    await small.publish_and_consume("poison")
    await small.sql("UPDATE parked SET event_id = $1", uuid7())

    lines = violation_texts(await small.check())

    assert "I4 community: set aside here, where no such event was passed" in lines


async def test_an_event_that_overtook_one_that_waits(small: MiniService) -> None:
    await small.publish_and_consume("poison")
    await small.publish_and_consume(times=2)
    await small.sql('DELETE FROM parked WHERE "offset" = 2')
    await small.sql("UPDATE positions SET applied = applied + 1 WHERE next_offset > 0")

    (wrong,) = (await small.check()).wrong

    assert (wrong.invariant, wrong.key) == ("I5", KEY)
    assert "was applied before 0, which still waits" in wrong.text


async def test_what_was_skipped_holds_nobody_up(small: MiniService) -> None:
    await small.publish_and_consume("invalid")
    await small.sql("UPDATE parked SET state = 'skipped'")
    await small.publish_and_consume(times=2)

    assert violation_texts(await small.check()) == []


async def test_an_offset_committed_beyond_what_was_applied(small: MiniService) -> None:
    await small.publish_and_consume(times=2)
    place = Partition(TOPIC, small.partition_of_key(KEY))

    assert violation_texts(await small.check(InMemoryLog(small.bus, {place: 2}))) == []
    (wrong,) = (await small.check(InMemoryLog(small.bus, {place: 3}))).wrong

    assert (wrong.invariant, wrong.key) == ("I8", f"{TOPIC}/{place.number}")
    assert "committed 3, applied up to 2" in wrong.text


async def test_a_group_that_read_beyond_the_end(small: MiniService) -> None:
    await small.publish_and_consume(times=2)
    await small.sql(
        "UPDATE positions SET next_offset = 9, applied = 9 WHERE partition = $1",
        small.partition_of_key(KEY),
    )

    lines = violation_texts(await small.check())

    assert any("passed up to 9, where the log ends at 2" in line for line in lines)


async def test_an_event_of_ours_that_was_buried_though_it_can_be_read(small: MiniService) -> None:
    await small.publish_and_consume("invalid")
    await small.sql("UPDATE parked SET event_id = NULL, key = NULL, type = NULL")

    lines = violation_texts(await small.check())

    assert any("as unreadable, and it can be read" in line for line in lines)


async def test_a_backslash_that_somebody_wrote_is_no_nul(small: MiniService) -> None:
    await small.publish("\\u0000, dit-elle")
    await small.relay()

    report = await small.check()

    assert violation_texts(report) == []
    assert ("I3", "records that nobody can read", 0) in report.looked
