"""A replay beside a running service: it publishes nothing and tolerates concurrent writes."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from shared.contracts.community import SpaceOpened
from shared.contracts.event import Envelope, Fact, encode, encode_data, partition_key, value_at
from shared.contracts.ids import EventId, SpaceId
from shared.kit.core.bus import OutgoingRecord
from shared.kit.tools.replay.errors import ReplayRefused
from shared.kit.tools.replay.feed import ReadOrder
from shared.kit.tools.replay.report import lines
from tests.kit.tools.replay.conftest import CONTENTS, ReplayPlatform

# Slow tests: they run with the system tests.
pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def publish(replay_platform: ReplayPlatform, fact: Fact) -> None:
    """Append a fact of community to its topic."""
    tenant, now = replay_platform.harness.seeded.tenant, datetime.now(UTC)
    envelope = Envelope(
        id=EventId(uuid7()),
        type=fact.wire_type(),
        source="/preau/community",
        subject=str(value_at(fact, fact.SUBJECT)),
        time=now,
        tenant=tenant,
        partitionkey=partition_key(tenant, fact),
        sequence="0000000001",
        recordedtime=now,
        correlationid="ailleurs",
        data=encode_data(fact),
    )
    record = OutgoingRecord(fact.TOPIC, envelope.partitionkey.encode(), encode(envelope))
    await replay_platform.harness.bus.send([record])


def space_opened(space: UUID, structure: UUID, time_zone: str) -> SpaceOpened:
    example = SpaceOpened.example()
    fields = {name: getattr(example, name) for name in SpaceOpened.__struct_fields__}
    return SpaceOpened(
        **fields
        | {
            "space_id": SpaceId(space),
            "structure_id": structure,
            "path": (),
            "time_zone": time_zone,
        }
    )


async def count_parked(replay_platform: ReplayPlatform) -> int:
    (row,) = await replay_platform.sql("metrics", "SELECT count(*) AS n FROM parked")
    return int(row["n"])


async def wait_until_parked(replay_platform: ReplayPlatform, number: int) -> None:
    async with asyncio.timeout(30):
        while await count_parked(replay_platform) != number:  # noqa: ASYNC110  it polls a database
            await asyncio.sleep(0.1)


async def test_replay_publishes_nothing_and_takes_no_decisions(
    replay_platform: ReplayPlatform,
) -> None:
    query = "SELECT (SELECT sum(sequence) FROM heads) AS told, (SELECT count(*) FROM outbox) AS out"
    counts_before = {
        name: await replay_platform.sql(name, query)
        for name in ("metrics", "moderation", "community")
    }
    topics = ["metrics.alert", "moderation.case", "community.post", "dead.metrics"]
    ends = (await replay_platform.harness.bus.get_log_bounds(topics)).end

    report = await replay_platform.replay("metrics")

    assert report.dropped_facts == {"metrics.alert.raised.v1": 1}, (
        "replayed without the closing of the first alert"
    )
    (alerts,) = [table for table in report.tables if table.table == "alerts"]
    assert (alerts.rows, alerts.differences) == (2, 0)
    for name in ("moderation", "community"):
        assert (await replay_platform.replay(name)).dropped_facts == {}
    assert counts_before == {name: await replay_platform.sql(name, query) for name in counts_before}
    assert (await replay_platform.harness.bus.get_log_bounds(topics)).end == ends


async def test_both_sides_are_equal_during_concurrent_writes(
    replay_platform: ReplayPlatform,
) -> None:
    root = await replay_platform.harness.publish_post("zoe", replay_platform.space, "Qui vient ?")
    read_count, stop_event = 0, asyncio.Event()

    async def write() -> None:
        """Comment and read notifications; an overloaded platform may reject some requests."""
        nonlocal read_count
        while not stop_event.is_set():
            # A rejected request does not wait for I/O: without this pause, no other task could run.
            await asyncio.sleep(0.005)
            body = {"body": f"Moi, {read_count} fois."}
            await replay_platform.harness.request(
                "malik", "POST", f"{CONTENTS}/{root}/comments", body
            )
            response = await replay_platform.harness.request(
                "zoe", "GET", "/notifications/v1/inbox"
            )
            if response.is_success:
                newest = response.json()["items"][0]["notification_id"]
                path = f"/notifications/v1/inbox/{newest}/read"
                read_count += (
                    await replay_platform.harness.request("zoe", "POST", path)
                ).is_success

    writer = asyncio.create_task(write())
    try:
        for service in ("metrics", "notifications") * 3:
            report = await replay_platform.replay(service)
            assert report.equal, [table for table in report.tables if table.differences]
        swapped = await replay_platform.replay("notifications", swap=True)
        assert (swapped.swapped, swapped.differences) == (True, 0)
    finally:
        stop_event.set()
        await writer
    assert read_count > 10
    await replay_platform.harness.wait_until_idle()
    assert (await replay_platform.replay("notifications", into="second")).equal


async def test_events_parked_by_the_live_group_are_excluded(
    replay_platform: ReplayPlatform,
) -> None:
    harness = replay_platform.harness
    space, school = await harness.open_space("zoe"), UUID(await harness.school_id())
    await harness.wait_until_idle()
    await publish(replay_platform, space_opened(UUID(space), school, "Mars/Olympus"))
    await harness.wait_until_idle()
    root = await harness.publish_post("zoe", space, "Quelle heure est-il ici ?", "question")
    await harness.request_ok("zoe", "POST", f"{CONTENTS}/{root}/comments", {"body": "Et là ?"})
    await wait_until_parked(replay_platform, 2)

    report = await replay_platform.replay("metrics", swap=True)
    assert (report.left_out, report.differences, report.swapped) == (2, 0, True)

    await publish(replay_platform, space_opened(UUID(space), school, "Europe/Paris"))
    await wait_until_parked(replay_platform, 0)
    query = "SELECT sum(n) AS n FROM day_counts WHERE space_id = $1"
    live = await replay_platform.sql("metrics", query, UUID(space))
    assert live[0]["n"] == 2
    await replay_platform.rebuilder("metrics").undo("metrics", "shadow")
    assert await replay_platform.sql("metrics", query, UUID(space)) == live, (
        "the old tables were updated"
    )
    report = await replay_platform.replay("metrics", into="second")
    assert (report.left_out, report.equal) == (0, True)


async def test_failed_events_are_reported_and_prevent_the_swap(
    replay_platform: ReplayPlatform,
) -> None:
    """In reversed order the invalid time zone is applied before the post, so the post fails."""
    harness = replay_platform.harness
    space, school = UUID(await harness.open_space("zoe")), UUID(await harness.school_id())
    await harness.publish_post("zoe", str(space), "Bonjour.")
    await harness.wait_until_idle()
    await publish(replay_platform, space_opened(space, school, "Mars/Olympus"))
    await harness.wait_until_idle()

    report = await replay_platform.replay("metrics", order=ReadOrder.REVERSED, swap=True)

    assert (report.equal, report.swapped) == (False, False)
    (failure,) = report.failed
    assert failure["type"] == "community.post.published.v1"
    assert "Mars/Olympus" in str(failure["cause"])
    assert any(line.startswith("  FAILED community.post/") for line in lines(report))
    assert (await replay_platform.replay("metrics")).equal
    await publish(replay_platform, space_opened(space, school, "Europe/Paris"))
    await harness.wait_until_idle()


async def test_second_replay_at_the_same_time_is_refused(replay_platform: ReplayPlatform) -> None:
    async with replay_platform.rebuilder("metrics")._open_engine():
        with pytest.raises(ReplayRefused, match="under way"):
            await replay_platform.replay("metrics")


async def test_replay_from_a_time_compares_only_changed_rows(
    replay_platform: ReplayPlatform,
) -> None:
    harness = replay_platform.harness
    start = datetime.now(UTC)
    await harness.publish_post("ines", replay_platform.space, "Il est tard.", "question")
    await harness.wait_until_idle()
    assert (await replay_platform.replay("metrics", since=start)).equal
    full_report = await replay_platform.replay("metrics", into="second")
    since = await replay_platform.replay("metrics", since=start)
    assert since.events < full_report.events / 2

    change_old_rows = (
        "UPDATE day_counts SET n = n {0} 1 WHERE what = 'questions' AND day < '2020-01-01'"
    )
    change_new_rows = (
        "UPDATE day_counts SET n = n - n * {0} WHERE what = 'questions' AND day > '2020-01-01'"
    )
    await replay_platform.sql("metrics", change_old_rows.format("+"))
    assert (await replay_platform.replay("metrics", since=start)).equal
    await replay_platform.sql("metrics", change_old_rows.format("-"))
    await replay_platform.sql(
        "metrics", "UPDATE questions SET asked_at = now() WHERE asked_at > $1", start
    )
    report = await replay_platform.replay("metrics", since=start)
    assert {table.table: table.differences for table in report.tables if table.differences} == {
        "questions": 1
    }
    await replay_platform.sql("metrics", change_new_rows.format(1))
    report = await replay_platform.replay("metrics", since=start)
    (counts,) = [table for table in report.tables if table.table == "day_counts"]
    assert (counts.shown[0].live, counts.shown[0].shadow) == ({"n": 0}, {"n": 1})

    with pytest.raises(ReplayRefused, match="whole log"):
        await replay_platform.replay("metrics", since=start, swap=True)
    assert (await replay_platform.replay("metrics", swap=True)).swapped
