"""The relay: sends the outbox in order, retries, and deletes only acknowledged events."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest
from uuid_utils.compat import uuid7

from shared.contracts.event import Envelope
from shared.contracts.identity import MemberSuspended
from shared.kit.bus.memory.bus import MemoryBus
from shared.kit.core.bus import Bus, OutgoingRecord, Partition
from shared.kit.core.errors import Transient
from shared.kit.database.database import Database
from shared.kit.relay.relay import SESSION_SETTINGS, Relay
from shared.kit.telemetry.noop import NoTelemetry
from tests.kit.conftest import Frame
from tests.support.inbox_harness import (
    PARTITIONS,
    RENNES,
    TOPIC,
    InboxHarness,
    make_caller,
    member_id,
    no_trace,
)

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


class FailingBus(MemoryBus):
    """A broker that fails `failures` times, before or after it has stored the records."""

    def __init__(self, failures: int, *, after_storing: bool) -> None:
        super().__init__()
        self.failures, self.after_storing = failures, after_storing

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        if self.failures:
            self.failures -= 1
            if self.after_storing:
                await super().send(records)
            raise Transient(internal_reason="no answer")
        await super().send(records)


class SlowBus(MemoryBus):
    """A broker that takes 6 ms per batch, and records when each batch began and ended."""

    def __init__(self) -> None:
        super().__init__()
        self.received_at: list[float] = []
        self.acknowledged_at: list[float] = []

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        self.received_at.append(time.monotonic())
        await asyncio.sleep(0.006)
        await super().send(records)
        self.acknowledged_at.append(time.monotonic())


class BlockedBus(MemoryBus):
    """A connection to a broker that blocks every send until `unblocked` is set."""

    def __init__(self, broker: Bus) -> None:
        super().__init__()
        self.broker = broker
        self.reached, self.unblocked = asyncio.Event(), asyncio.Event()

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        self.reached.set()
        await self.unblocked.wait()
        await self.broker.send(records)


@asynccontextmanager
async def running_relay(
    harness: InboxHarness,
    frame: Frame,
    bus: Bus,
    max_batch_events: int = 500,
    session_settings: Mapping[str, str] = SESSION_SETTINGS,
) -> AsyncIterator[None]:
    stop = asyncio.Event()
    relay = Relay(
        "community",
        frame.url("relay"),
        bus,
        harness.database.outbox_changed,
        NoTelemetry(),
        max_batch_events,
        session_settings=session_settings,
    )
    task = asyncio.create_task(relay.run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def write_facts(harness: InboxHarness, facts: int, keys: int = 3) -> None:
    for number in range(facts):
        async with harness.database.unit(make_caller()) as unit:
            member = member_id(number % keys + 1)
            unit.record(MemberSuspended(member_id=member, reason=f"n° {number} ✓"))


async def wait_until_outbox_empty(harness: InboxHarness) -> None:
    async with asyncio.timeout(20):
        while await harness.query("SELECT 1 FROM outbox LIMIT 1"):  # noqa: ASYNC110  in a database
            await asyncio.sleep(0.05)


async def sent_sequences(bus: Bus) -> dict[str, list[int]]:
    """The sequences of each key, in log order."""
    sequences: dict[str, list[int]] = defaultdict(list)
    for number in range(PARTITIONS):
        for record in await bus.fetch(Partition(TOPIC, number), 0, 10_000):
            envelope = msgspec.json.decode(record.value or b"", type=Envelope)
            assert (record.key or b"").decode() == envelope.partitionkey
            sequences[envelope.partitionkey].append(int(envelope.sequence))
    return sequences


async def test_all_events_are_sent_in_order_and_deleted(
    harness: InboxHarness, frame: Frame
) -> None:
    await write_facts(harness, 30)
    async with running_relay(harness, frame, harness.bus, max_batch_events=7):
        await write_facts(harness, 30)
        await wait_until_outbox_empty(harness)

    sequences = await sent_sequences(harness.bus)
    assert list(sequences.values()) == [list(range(1, 21))] * 3


async def test_single_events_form_batches_while_the_relay_pauses(
    harness: InboxHarness, frame: Frame
) -> None:
    bus = harness.bus = SlowBus()
    await harness.make_topics()
    async with running_relay(harness, frame, bus):
        for _ in range(8):
            await write_facts(harness, 4)
            await asyncio.sleep(0.005)
        await wait_until_outbox_empty(harness)

    pauses = [
        begin - end for end, begin in zip(bus.acknowledged_at, bus.received_at[1:], strict=False)
    ]
    assert pauses
    assert min(pauses) > 0.006
    assert sorted((await sent_sequences(bus)).values()) == [[*range(1, 9)]] * 2 + [[*range(1, 17)]]


async def test_events_stay_in_the_outbox_while_the_broker_fails(
    harness: InboxHarness, frame: Frame
) -> None:
    harness.bus = FailingBus(2, after_storing=False)
    await harness.make_topics()
    await write_facts(harness, 6)
    async with running_relay(harness, frame, harness.bus):
        await wait_until_outbox_empty(harness)

    assert sorted((await sent_sequences(harness.bus)).values()) == [[1, 2]] * 3


async def test_a_relay_keeps_its_shards_while_the_broker_fails(
    harness: InboxHarness, frame: Frame
) -> None:
    bus = harness.bus = FailingBus(3, after_storing=False)
    await harness.make_topics()
    query = "SELECT pid FROM pg_stat_activity WHERE usename = 'community_relay'"
    # The session of a relay that has just stopped may still be listed.
    old_sessions = await harness.query(query)
    await write_facts(harness, 6)
    async with running_relay(harness, frame, bus):
        async with asyncio.timeout(10):
            while bus.failures == 3:  # noqa: ASYNC110  its own task sends
                await asyncio.sleep(0.01)
        during_failure = [row for row in await harness.query(query) if row not in old_sessions]
        await wait_until_outbox_empty(harness)
        after_failure = [row for row in await harness.query(query) if row not in old_sessions]

    assert len(during_failure) == 1
    assert during_failure == after_failure, "the locks last as long as the session"


async def test_a_failure_between_send_and_delete_causes_duplicates_only(
    harness: InboxHarness, frame: Frame
) -> None:
    harness.bus = FailingBus(1, after_storing=True)
    harness.database.service = "identity"  # the source of these facts: others are refused
    await harness.make_topics()
    await write_facts(harness, 6)
    async with running_relay(harness, frame, harness.bus):
        await wait_until_outbox_empty(harness)

    assert sorted((await sent_sequences(harness.bus)).values()) == [[1, 2, 1, 2]] * 3
    outcome = await harness.consume_all()
    assert (outcome.applied, outcome.duplicate) == (6, 6)
    assert len(await harness.effects()) == 6


async def test_two_relays_keep_the_order_and_one_continues_alone(
    harness: InboxHarness, frame: Frame
) -> None:
    async with running_relay(harness, frame, harness.bus, max_batch_events=3):
        async with running_relay(harness, frame, harness.bus, max_batch_events=3):
            await write_facts(harness, 30)
            await wait_until_outbox_empty(harness)
        await write_facts(harness, 30)
        await wait_until_outbox_empty(harness)

    assert sorted((await sent_sequences(harness.bus)).values()) == [list(range(1, 21))] * 3


async def test_an_event_of_another_process_is_sent_before_the_next_poll(
    harness: InboxHarness, frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.kit.relay.relay.POLL_INTERVAL_SECONDS", 60.0)
    clock = harness.database._clock
    other_process = Database(
        "community", frame.url("app"), clock=clock, new_id=uuid7, trace=no_trace
    )
    other_process.start_notifier()
    async with running_relay(harness, frame, harness.bus):
        await asyncio.sleep(0.3)
        for number in range(3):
            async with other_process.unit(make_caller()) as unit:
                unit.record(MemberSuspended(member_id=member_id(1), reason=f"{number}"))
        await wait_until_outbox_empty(harness)
    await other_process.stop()

    assert await sent_sequences(harness.bus) == {f"{RENNES}:{member_id(1)}": [1, 2, 3]}


async def test_a_second_relay_takes_over_when_the_first_stops(
    harness: InboxHarness, frame: Frame
) -> None:
    async with running_relay(harness, frame, harness.bus):
        await asyncio.sleep(0.1)
        second = running_relay(harness, frame, harness.bus)
        await second.__aenter__()
    await write_facts(harness, 9)
    await wait_until_outbox_empty(harness)
    await second.__aexit__(None, None, None)

    assert sorted((await sent_sequences(harness.bus)).values()) == [[1, 2, 3]] * 3


async def test_a_frozen_relay_loses_its_shards_and_later_repeats_its_batch(
    harness: InboxHarness, frame: Frame
) -> None:
    blocked_bus = BlockedBus(harness.bus)
    settings = {**SESSION_SETTINGS, "idle_session_timeout": "500ms"}
    await write_facts(harness, 9)
    async with running_relay(harness, frame, blocked_bus, session_settings=settings):
        await blocked_bus.reached.wait()
        async with running_relay(harness, frame, harness.bus):
            await wait_until_outbox_empty(harness)
            await write_facts(harness, 9)
            await wait_until_outbox_empty(harness)
        blocked_bus.unblocked.set()

    sequences = sorted((await sent_sequences(harness.bus)).values())
    assert sequences == [[1, 2, 3, 4, 5, 6, 1, 2, 3]] * 3


async def test_a_stopping_relay_sends_the_rest_of_the_outbox(
    harness: InboxHarness, frame: Frame
) -> None:
    async with running_relay(harness, frame, harness.bus, max_batch_events=2):
        await asyncio.sleep(0.2)
        await write_facts(harness, 12)

    assert await harness.query("SELECT 1 FROM outbox") == []
