"""A replay beside a service that lives: it sends nothing, and nothing disturbs it."""

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

# They take long, and run where the real servers are tested.
pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def tell(past: ReplayPlatform, fact: Fact) -> None:
    """Put a fact of community's on its topic."""
    tenant, now = past.world.seeded.tenant, datetime.now(UTC)
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
    await past.world.bus.send([record])


def zoned(space: UUID, structure: UUID, time_zone: str) -> SpaceOpened:
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


async def aside(past: ReplayPlatform) -> int:
    (row,) = await past.sql("metrics", "SELECT count(*) AS n FROM parked")
    return int(row["n"])


async def until_aside(past: ReplayPlatform, number: int) -> None:
    async with asyncio.timeout(30):
        while await aside(past) != number:  # noqa: ASYNC110  it looks into a database
            await asyncio.sleep(0.1)


async def test_nothing_is_sent_and_what_was_decided_is_not_decided_again(
    past: ReplayPlatform,
) -> None:
    said = "SELECT (SELECT sum(sequence) FROM heads) AS told, (SELECT count(*) FROM outbox) AS out"
    before = {name: await past.sql(name, said) for name in ("metrics", "moderation", "community")}
    topics = ["metrics.alert", "moderation.case", "community.post", "dead.metrics"]
    ends = (await past.world.bus.get_log_bounds(topics)).end

    report = await past.replay("metrics")

    assert report.dropped_facts == {"metrics.alert.raised.v1": 1}, "it knows of none that is closed"
    (alerts,) = [table for table in report.tables if table.table == "alerts"]
    assert (alerts.rows, alerts.differences) == (2, 0)
    for name in ("moderation", "community"):
        assert (await past.replay(name)).dropped_facts == {}
    assert before == {name: await past.sql(name, said) for name in before}
    assert (await past.world.bus.get_log_bounds(topics)).end == ends


async def test_both_sides_stand_at_the_same_while_people_write(past: ReplayPlatform) -> None:
    root = await past.world.publish_post("zoe", past.space, "Qui vient ?")
    written, enough = 0, asyncio.Event()

    async def write() -> None:
        """Write and read on; a machine that has too much to do may say no now and then."""
        nonlocal written
        while not enough.is_set():
            # A refusal answers without waiting for anything: it would leave nobody else a turn.
            await asyncio.sleep(0.005)
            body = {"body": f"Moi, {written} fois."}
            await past.world.request("malik", "POST", f"{CONTENTS}/{root}/comments", body)
            answer = await past.world.request("zoe", "GET", "/notifications/v1/inbox")
            if answer.is_success:
                newest = answer.json()["items"][0]["notification_id"]
                path = f"/notifications/v1/inbox/{newest}/read"
                written += (await past.world.request("zoe", "POST", path)).is_success

    writing = asyncio.create_task(write())
    try:
        for service in ("metrics", "notifications") * 3:
            report = await past.replay(service)
            assert report.equal, [table for table in report.tables if table.differences]
        swapped = await past.replay("notifications", swap=True)
        assert (swapped.swapped, swapped.differences) == (True, 0)
    finally:
        enough.set()
        await writing
    assert written > 10
    await past.world.wait_until_idle()
    assert (await past.replay("notifications", into="second")).equal


async def test_what_the_live_group_put_aside_is_left_out_until_it_is_applied(
    past: ReplayPlatform,
) -> None:
    world = past.world
    space, school = await world.open_space("zoe"), UUID(await world.school_id())
    await world.wait_until_idle()
    await tell(past, zoned(UUID(space), school, "Mars/Olympus"))
    await world.wait_until_idle()
    root = await world.publish_post("zoe", space, "Quelle heure est-il ici ?", "question")
    await world.request_ok("zoe", "POST", f"{CONTENTS}/{root}/comments", {"body": "Et là ?"})
    await until_aside(past, 2)

    report = await past.replay("metrics", swap=True)
    assert (report.left_out, report.differences, report.swapped) == (2, 0, True)

    await tell(past, zoned(UUID(space), school, "Europe/Paris"))
    await until_aside(past, 0)
    counted = "SELECT sum(n) AS n FROM day_counts WHERE space_id = $1"
    live = await past.sql("metrics", counted, UUID(space))
    assert live[0]["n"] == 2
    await past.rebuilder("metrics").undo("metrics", "shadow")
    assert await past.sql("metrics", counted, UUID(space)) == live, "the old tables caught up"
    report = await past.replay("metrics", into="second")
    assert (report.left_out, report.equal) == (0, True)


async def test_what_the_shadow_cannot_apply_is_told_and_never_swapped_in(
    past: ReplayPlatform,
) -> None:
    """Read before the post, the zone that came after it is wrong for it, too."""
    world = past.world
    space, school = UUID(await world.open_space("zoe")), UUID(await world.school_id())
    await world.publish_post("zoe", str(space), "Bonjour.")
    await world.wait_until_idle()
    await tell(past, zoned(space, school, "Mars/Olympus"))
    await world.wait_until_idle()

    report = await past.replay("metrics", order=ReadOrder.REVERSED, swap=True)

    assert (report.equal, report.swapped) == (False, False)
    (failure,) = report.failed
    assert failure["type"] == "community.post.published.v1"
    assert "Mars/Olympus" in str(failure["cause"])
    assert any(line.startswith("  FAILED community.post/") for line in lines(report))
    assert (await past.replay("metrics")).equal
    await tell(past, zoned(space, school, "Europe/Paris"))
    await world.wait_until_idle()


async def test_one_replay_at_a_time(past: ReplayPlatform) -> None:
    async with past.rebuilder("metrics")._engine():
        with pytest.raises(ReplayRefused, match="under way"):
            await past.replay("metrics")


async def test_from_a_moment_on_what_was_touched_is_compared(past: ReplayPlatform) -> None:
    world = past.world
    moment = datetime.now(UTC)
    await world.publish_post("ines", past.space, "Il est tard.", "question")
    await world.wait_until_idle()
    assert (await past.replay("metrics", since=moment)).equal
    whole = await past.replay("metrics", into="second")
    since = await past.replay("metrics", since=moment)
    assert since.events < whole.events / 2

    untouched = "UPDATE day_counts SET n = n {0} 1 WHERE what = 'questions' AND day < '2020-01-01'"
    touched = (
        "UPDATE day_counts SET n = n - n * {0} WHERE what = 'questions' AND day > '2020-01-01'"
    )
    await past.sql("metrics", untouched.format("+"))
    assert (await past.replay("metrics", since=moment)).equal
    await past.sql("metrics", untouched.format("-"))
    await past.sql("metrics", "UPDATE questions SET asked_at = now() WHERE asked_at > $1", moment)
    report = await past.replay("metrics", since=moment)
    assert {table.table: table.differences for table in report.tables if table.differences} == {
        "questions": 1
    }
    await past.sql("metrics", touched.format(1))
    report = await past.replay("metrics", since=moment)
    (counts,) = [table for table in report.tables if table.table == "day_counts"]
    assert (counts.shown[0].live, counts.shown[0].shadow) == ({"n": 0}, {"n": 1})

    with pytest.raises(ReplayRefused, match="whole log"):
        await past.replay("metrics", since=moment, swap=True)
    assert (await past.replay("metrics", swap=True)).swapped
