"""The relay: what is written is sent, in order, again if need be, and only then forgotten."""

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


class Weary(MemoryBus):
    """A broker that fails so often, before or after it has taken the records."""

    def __init__(self, failures: int, *, after: bool) -> None:
        super().__init__()
        self.failures, self.after = failures, after

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        if self.failures:
            self.failures -= 1
            if self.after:
                await super().send(records)
            raise Transient(reason="no answer")
        await super().send(records)


class Slow(MemoryBus):
    """A broker that takes its time, and notes when each batch came and was answered."""

    def __init__(self) -> None:
        super().__init__()
        self.came: list[float] = []
        self.answered: list[float] = []

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        self.came.append(time.monotonic())
        await asyncio.sleep(0.006)
        await super().send(records)
        self.answered.append(time.monotonic())


class Frozen(MemoryBus):
    """The way to a broker that lets nothing through until it is thawed."""

    def __init__(self, broker: Bus) -> None:
        super().__init__()
        self.broker = broker
        self.reached, self.thawed = asyncio.Event(), asyncio.Event()

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        self.reached.set()
        await self.thawed.wait()
        await self.broker.send(records)


@asynccontextmanager
async def relaying(
    probe: InboxHarness,
    frame: Frame,
    bus: Bus,
    batch: int = 500,
    session: Mapping[str, str] = SESSION_SETTINGS,
) -> AsyncIterator[None]:
    stop = asyncio.Event()
    written = probe.database.outbox_changed
    relay = Relay(
        "community",
        frame.url("relay"),
        bus,
        written,
        NoTelemetry(),
        batch,
        session_settings=session,
    )
    task = asyncio.create_task(relay.run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def write(probe: InboxHarness, facts: int, keys: int = 3) -> None:
    for number in range(facts):
        async with probe.database.unit(make_caller()) as unit:
            who = member_id(number % keys + 1)
            unit.record(MemberSuspended(member_id=who, reason=f"n° {number} ✓"))


async def emptied(probe: InboxHarness) -> None:
    async with asyncio.timeout(20):
        while await probe.query("SELECT 1 FROM outbox LIMIT 1"):  # noqa: ASYNC110  another process's
            await asyncio.sleep(0.05)


async def sent(bus: Bus) -> dict[str, list[int]]:
    """The sequences of each key, as they stand in the log."""
    found: dict[str, list[int]] = defaultdict(list)
    for number in range(PARTITIONS):
        for record in await bus.fetch(Partition(TOPIC, number), 0, 10_000):
            envelope = msgspec.json.decode(record.value or b"", type=Envelope)
            assert (record.key or b"").decode() == envelope.partitionkey
            found[envelope.partitionkey].append(int(envelope.sequence))
    return found


async def test_everything_is_sent_in_order_and_then_gone(probe: InboxHarness, frame: Frame) -> None:
    await write(probe, 30)
    async with relaying(probe, frame, probe.bus, batch=7):
        await write(probe, 30)
        await emptied(probe)

    found = await sent(probe.bus)
    assert [found[key] for key in found] == [list(range(1, 21))] * 3


async def test_facts_that_come_one_by_one_gather_while_the_relay_rests(
    probe: InboxHarness, frame: Frame
) -> None:
    bus = probe.bus = Slow()
    await probe.make_topics()
    async with relaying(probe, frame, bus):
        for _ in range(8):
            await write(probe, 4)
            await asyncio.sleep(0.005)
        await emptied(probe)

    rests = [again - before for before, again in zip(bus.answered, bus.came[1:], strict=False)]
    assert rests
    assert min(rests) > 0.006
    assert sorted((await sent(bus)).values()) == [[*range(1, 9)]] * 2 + [[*range(1, 17)]]


async def test_while_the_broker_does_not_answer_nothing_is_forgotten(
    probe: InboxHarness, frame: Frame
) -> None:
    probe.bus = Weary(2, after=False)
    await probe.make_topics()
    await write(probe, 6)
    async with relaying(probe, frame, probe.bus):
        await emptied(probe)

    assert sorted((await sent(probe.bus)).values()) == [[1, 2]] * 3


async def test_the_absence_of_the_broker_costs_no_shard(probe: InboxHarness, frame: Frame) -> None:
    bus = probe.bus = Weary(3, after=False)
    await probe.make_topics()
    query = "SELECT pid FROM pg_stat_activity WHERE usename = 'community_relay'"
    # The session of a relay that just stopped may still stand there.
    before = await probe.query(query)
    await write(probe, 6)
    async with relaying(probe, frame, bus):
        async with asyncio.timeout(10):
            while bus.failures == 3:  # noqa: ASYNC110  its own task sends
                await asyncio.sleep(0.01)
        during = [each for each in await probe.query(query) if each not in before]
        await emptied(probe)
        after = [each for each in await probe.query(query) if each not in before]

    assert len(during) == 1
    assert during == after, "the locks live as long as the session"


async def test_dying_between_sending_and_deleting_makes_duplicates_and_no_gap(
    probe: InboxHarness, frame: Frame
) -> None:
    probe.bus = Weary(1, after=True)
    probe.database.service = "identity"  # whose facts these are: others are refused
    await probe.make_topics()
    await write(probe, 6)
    async with relaying(probe, frame, probe.bus):
        await emptied(probe)

    assert sorted((await sent(probe.bus)).values()) == [[1, 2, 1, 2]] * 3
    found = await probe.consume_all()
    assert (found.applied, found.duplicate) == (6, 6)
    assert len(await probe.effects()) == 6


async def test_two_relays_of_a_service_keep_the_order_and_the_second_takes_over(
    probe: InboxHarness, frame: Frame
) -> None:
    async with relaying(probe, frame, probe.bus, batch=3):
        async with relaying(probe, frame, probe.bus, batch=3):
            await write(probe, 30)
            await emptied(probe)
        await write(probe, 30)
        await emptied(probe)

    assert sorted((await sent(probe.bus)).values()) == [list(range(1, 21))] * 3


async def test_what_another_process_writes_is_sent_without_waiting_for_the_next_look(
    probe: InboxHarness, frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.kit.relay.relay.POLL_INTERVAL_SECONDS", 60.0)
    clock = probe.database._clock
    other = Database("community", frame.url("app"), clock=clock, new_id=uuid7, trace=no_trace)
    other.start_notifier()
    async with relaying(probe, frame, probe.bus):
        await asyncio.sleep(0.3)
        for number in range(3):
            async with other.unit(make_caller()) as unit:
                unit.record(MemberSuspended(member_id=member_id(1), reason=f"{number}"))
        await emptied(probe)
    await other.stop()

    assert await sent(probe.bus) == {f"{RENNES}:{member_id(1)}": [1, 2, 3]}


async def test_the_heir_of_a_relay_that_is_gone_sends_the_rest(
    probe: InboxHarness, frame: Frame
) -> None:
    async with relaying(probe, frame, probe.bus):
        await asyncio.sleep(0.1)
        second = relaying(probe, frame, probe.bus)
        await second.__aenter__()
    await write(probe, 9)
    await emptied(probe)
    await second.__aexit__(None, None, None)

    assert sorted((await sent(probe.bus)).values()) == [[1, 2, 3]] * 3


async def test_a_relay_that_freezes_loses_its_shards_and_repeats_when_it_wakes(
    probe: InboxHarness, frame: Frame
) -> None:
    slow = Frozen(probe.bus)
    await write(probe, 9)
    async with relaying(
        probe, frame, slow, session={**SESSION_SETTINGS, "idle_session_timeout": "500ms"}
    ):
        await slow.reached.wait()
        async with relaying(probe, frame, probe.bus):
            await emptied(probe)
            await write(probe, 9)
            await emptied(probe)
        slow.thawed.set()

    assert sorted((await sent(probe.bus)).values()) == [[1, 2, 3, 4, 5, 6, 1, 2, 3]] * 3


async def test_a_stop_sends_what_is_left(probe: InboxHarness, frame: Frame) -> None:
    async with relaying(probe, frame, probe.bus, batch=2):
        await asyncio.sleep(0.2)
        await write(probe, 12)

    assert await probe.query("SELECT 1 FROM outbox") == []
