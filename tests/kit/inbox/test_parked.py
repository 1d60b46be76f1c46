"""A failed event is parked and blocks the later events of its key, and no others."""

import pytest
from sqlalchemy import event

from shared.kit.inbox.parked import RetryPolicy
from shared.kit.inbox.retry import ParkedEventRetrier
from shared.kit.inbox.thresholds import FailureThreshold
from tests.support.inbox_harness import GROUP, NOON, InboxHarness

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def test_failed_event_is_parked_and_blocks_only_its_key(
    harness: InboxHarness,
) -> None:
    harness.publish("avant", member=1)
    harness.publish("poison", member=1)
    harness.publish("après", member=1)
    for number in range(2, 12):
        harness.publish(f"autre {number}", member=number)

    counts = await harness.consume_all()

    assert sorted(await harness.effects()) == sorted(
        ["avant", *(f"autre {number}" for number in range(2, 12))]
    )
    assert (counts.applied, counts.parked, counts.dead_lettered, counts.lag) == (11, 2, 0, 0)


async def test_blocked_events_are_applied_in_order_after_the_retry(
    harness: InboxHarness,
) -> None:
    harness.publish("poison")
    await harness.consume_all()
    harness.publish("deux")
    harness.publish("trois")
    assert (await harness.consume_all()).parked == 3
    harness.fixed = True

    counts = await harness.retry_parked()

    assert await harness.effects() == ["poison", "deux", "trois"]
    assert (counts.applied, counts.parked) == (3, 0)


async def test_parked_event_is_not_retried_before_next_try(harness: InboxHarness) -> None:
    harness.publish("poison")
    consumer = harness.consumer()
    await harness.consume_all(consumer)
    harness.fixed = True

    assert await ParkedEventRetrier(consumer).retry_due() == 0
    harness.clock.advance(seconds=1)
    assert await ParkedEventRetrier(consumer).retry_due() == 1


async def test_effects_of_a_failed_event_are_rolled_back(harness: InboxHarness) -> None:
    harness.publish("poison")
    harness.publish("answer", member=2)

    await harness.consume_all()

    assert await harness.effects() == ["answer"]
    (published_event,) = await harness.outbox()
    assert published_event.type == "identity.member.reinstated.v1"


async def test_last_failed_attempt_publishes_a_dead_letter_with_cause(
    harness: InboxHarness,
) -> None:
    event = harness.publish("poison", member=3)
    harness.publish("derrière", member=3)
    await harness.consume_all()
    await harness.retry_parked()
    counts = await harness.retry_parked()

    (letter,) = await harness.outbox()
    assert (counts.parked, counts.dead_lettered) == (1, 1)
    assert (letter.type, str(letter.causeid)) == ("preau.dead_letter.v1", str(event))
    (row,) = await harness.query("SELECT topic FROM outbox")
    assert row["topic"] == f"dead.{GROUP}"
    data = bytes(letter.data).decode()
    for part in ("RuntimeError: cannot digest", "Traceback", '"attempts":3', "poison", "identity"):
        assert part in data
    await harness.retry_parked()
    assert len(await harness.outbox()) == 1
    assert await harness.effects() == []


async def test_invalid_event_is_dead_at_once(harness: InboxHarness) -> None:
    harness.publish("invalid")
    harness.publish("derrière")

    counts = await harness.consume_all()

    assert (counts.dead_lettered, counts.parked) == (1, 1)
    assert len(await harness.outbox()) == 1
    assert await harness.effects() == []


async def test_invalid_event_behind_another_is_dead_at_once(
    harness: InboxHarness,
) -> None:
    harness.publish("poison")
    harness.publish("invalid")
    await harness.consume_all()
    harness.fixed = True

    counts = await harness.retry_parked()

    assert (counts.applied, counts.dead_lettered, counts.parked) == (1, 1, 0)


async def test_failing_event_is_dead_lettered_after_fifteen_seconds(
    harness: InboxHarness,
) -> None:
    harness.retry_policy = RetryPolicy()
    harness.publish("poison")
    consumer = harness.consumer()
    await harness.consume_all(consumer)
    attempt_seconds = []
    for second in range(1, 60):
        harness.clock.advance(seconds=1)
        attempts_before = len(harness.applied_reasons)
        await ParkedEventRetrier(consumer).retry_due()
        if len(harness.applied_reasons) > attempts_before:
            attempt_seconds.append(second)

    assert attempt_seconds == [1, 3, 7, 15]
    (letter,) = await harness.outbox()
    assert letter.type == "preau.dead_letter.v1"
    assert (letter.time - NOON).total_seconds() == 15
    assert "RuntimeError: cannot digest" in bytes(letter.data).decode()


async def test_blocked_events_are_parked_with_one_statement(harness: InboxHarness) -> None:
    harness.publish("poison")
    await harness.consume_all()
    for number in range(50):
        harness.publish(f"derrière {number}")
    statements: list[str] = []

    def record_statement(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    engine = harness.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", record_statement)
    counts = await harness.consume_all()
    event.remove(engine, "before_cursor_execute", record_statement)

    assert counts.parked == 51
    assert len([statement for statement in statements if "INTO parked" in statement]) == 1
    harness.fixed = True
    await harness.retry_parked()
    assert await harness.effects() == ["poison", *(f"derrière {n}" for n in range(50))]


async def test_all_due_keys_are_retried_in_one_run(harness: InboxHarness) -> None:
    harness.failure_threshold = FailureThreshold(max_failures=1000)
    for number in range(250):
        harness.publish("poison", member=number)
    await harness.consume_all()
    harness.fixed = True

    counts = await harness.retry_parked()

    assert (counts.applied, counts.parked) == (250, 0)
