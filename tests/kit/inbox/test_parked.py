"""What cannot be applied is set aside, its key waits behind it, and nothing else does."""

import pytest
from sqlalchemy import event

from shared.kit.inbox.parked import RetryPolicy
from shared.kit.inbox.retry import ParkedEventRetrier
from shared.kit.inbox.thresholds import FailureThreshold
from tests.support.inbox_harness import GROUP, NOON, InboxHarness

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def test_failed_event_is_parked_and_blocks_only_its_key(
    probe: InboxHarness,
) -> None:
    probe.publish("avant", member=1)
    probe.publish("poison", member=1)
    probe.publish("après", member=1)
    for number in range(2, 12):
        probe.publish(f"autre {number}", member=number)

    found = await probe.consume_all()

    assert sorted(await probe.effects()) == sorted(
        ["avant", *(f"autre {number}" for number in range(2, 12))]
    )
    assert (found.applied, found.parked, found.dead_lettered, found.lag) == (11, 2, 0, 0)


async def test_blocked_events_are_applied_in_order_after_the_retry(
    probe: InboxHarness,
) -> None:
    probe.publish("poison")
    await probe.consume_all()
    probe.publish("deux")
    probe.publish("trois")
    assert (await probe.consume_all()).parked == 3
    probe.fixed = True

    found = await probe.retry_parked()

    assert await probe.effects() == ["poison", "deux", "trois"]
    assert (found.applied, found.parked) == (3, 0)


async def test_parked_event_is_not_retried_before_next_try(probe: InboxHarness) -> None:
    probe.publish("poison")
    reader = probe.consumer()
    await probe.consume_all(reader)
    probe.fixed = True

    assert await ParkedEventRetrier(reader).retry_due() == 0
    probe.clock.advance(seconds=1)
    assert await ParkedEventRetrier(reader).retry_due() == 1


async def test_effects_of_a_failed_event_are_rolled_back(probe: InboxHarness) -> None:
    probe.publish("poison")
    probe.publish("answer", member=2)

    await probe.consume_all()

    assert await probe.effects() == ["answer"]
    (answer,) = await probe.outbox()
    assert answer.type == "identity.member.reinstated.v1"


async def test_last_failed_attempt_publishes_a_dead_letter_with_cause(
    probe: InboxHarness,
) -> None:
    event = probe.publish("poison", member=3)
    probe.publish("derrière", member=3)
    await probe.consume_all()
    await probe.retry_parked()
    found = await probe.retry_parked()

    (letter,) = await probe.outbox()
    assert (found.parked, found.dead_lettered) == (1, 1)
    assert (letter.type, str(letter.causeid)) == ("preau.dead_letter.v1", str(event))
    (row,) = await probe.query("SELECT topic FROM outbox")
    assert row["topic"] == f"dead.{GROUP}"
    told = bytes(letter.data).decode()
    for part in ("RuntimeError: cannot digest", "Traceback", '"attempts":3', "poison", "identity"):
        assert part in told
    await probe.retry_parked()
    assert len(await probe.outbox()) == 1
    assert await probe.effects() == []


async def test_invalid_event_is_dead_at_once(probe: InboxHarness) -> None:
    probe.publish("invalid")
    probe.publish("derrière")

    found = await probe.consume_all()

    assert (found.dead_lettered, found.parked) == (1, 1)
    assert len(await probe.outbox()) == 1
    assert await probe.effects() == []


async def test_invalid_event_behind_another_is_dead_at_once(
    probe: InboxHarness,
) -> None:
    probe.publish("poison")
    probe.publish("invalid")
    await probe.consume_all()
    probe.fixed = True

    found = await probe.retry_parked()

    assert (found.applied, found.dead_lettered, found.parked) == (1, 1, 0)


async def test_failing_event_is_dead_lettered_after_fifteen_seconds(
    probe: InboxHarness,
) -> None:
    probe.retry_policy = RetryPolicy()
    probe.publish("poison")
    reader = probe.consumer()
    await probe.consume_all(reader)
    tried = []
    for second in range(1, 60):
        probe.clock.advance(seconds=1)
        before = len(probe.applied_reasons)
        await ParkedEventRetrier(reader).retry_due()
        if len(probe.applied_reasons) > before:
            tried.append(second)

    assert tried == [1, 3, 7, 15]
    (letter,) = await probe.outbox()
    assert letter.type == "preau.dead_letter.v1"
    assert (letter.time - NOON).total_seconds() == 15
    assert "RuntimeError: cannot digest" in bytes(letter.data).decode()


async def test_blocked_events_are_parked_with_one_statement(probe: InboxHarness) -> None:
    probe.publish("poison")
    await probe.consume_all()
    for number in range(50):
        probe.publish(f"derrière {number}")
    statements: list[str] = []

    def note(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    engine = probe.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    found = await probe.consume_all()
    event.remove(engine, "before_cursor_execute", note)

    assert found.parked == 51
    assert len([each for each in statements if "INTO parked" in each]) == 1
    probe.fixed = True
    await probe.retry_parked()
    assert await probe.effects() == ["poison", *(f"derrière {n}" for n in range(50))]


async def test_all_due_keys_are_retried_in_one_run(probe: InboxHarness) -> None:
    probe.failure_threshold = FailureThreshold(max_failures=1000)
    for number in range(250):
        probe.publish("poison", member=number)
    await probe.consume_all()
    probe.fixed = True

    found = await probe.retry_parked()

    assert (found.applied, found.parked) == (250, 0)
