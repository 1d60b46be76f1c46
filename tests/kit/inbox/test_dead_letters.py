"""Dead letters as an operator sees them: counted by cause, page by page, one whole."""

from datetime import timedelta

import asyncpg
import pytest

from shared.kit.inbox.dead_letters.queries import Cause, Letter, Whole, causes, page, whole
from shared.kit.inbox.parked import Place
from shared.kit.inbox.thresholds import Limit
from tests.support.inbox_harness import GROUP, NOON, RENNES, TOPIC, Probe, member

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
KIND = "identity.member.suspended.v1"
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_causes_are_counted_with_what_waits_behind_them(probe: Probe) -> None:
    probe.limit = Limit(failures=100)
    for who in range(1, 4):
        probe.publish(f"poison {who}", who=who)
        for _ in range(who - 1):
            probe.publish("derrière", who=who)
    probe.publish("invalid", who=9)
    probe.put(b"k", b"{")
    await _die(probe)
    probe.clock.forward(hours=1)
    probe.publish("poison 77", who=77)
    await _die(probe)

    digest, unreadable, invalid = await _causes(probe)

    assert (digest.cause, digest.type, digest.state) == (
        "RuntimeError: cannot digest …",
        KIND,
        "dead",
    )
    assert (digest.letters, digest.keys, digest.waiting) == (4, 2, 3)
    assert (digest.oldest, digest.newest - digest.oldest > timedelta(hours=1)) == (NOON, True)
    assert digest.example in [str(letter.place) for letter in await probe.letters()]
    assert (invalid.cause, invalid.letters, invalid.keys) == ("Invalid: invalid field=reason", 1, 0)
    assert (unreadable.type, unreadable.letters, unreadable.waiting) == (None, 1, 0)


async def test_what_is_parked_or_skipped_is_counted_only_when_asked_for(probe: Probe) -> None:
    probe.publish("poison", who=1)
    probe.publish("derrière", who=1)
    await probe.take()

    assert await _causes(probe) == []
    (parked,) = await _causes(probe, everything=True)
    assert (parked.state, parked.letters, parked.keys, parked.waiting) == ("parked", 1, 1, 1)


async def test_a_page_follows_a_page_until_all_were_shown_the_oldest_first(probe: Probe) -> None:
    probe.limit = Limit(failures=1000)
    for round_ in range(5):
        for who in range(7):
            probe.publish("invalid", who=round_ * 10 + who)
        await probe.take()
        probe.clock.forward(minutes=1)

    seen: list[Letter] = []
    while batch := await _page(probe, seen[-1] if seen else None):
        assert len(batch) <= 4
        seen += batch

    assert len({letter.place for letter in seen}) == 35
    assert [letter.first_failed for letter in seen] == sorted(each.first_failed for each in seen)
    assert len(await probe.letters()) == 35


async def test_one_is_shown_whole_with_its_trace_and_what_waits_behind_it(probe: Probe) -> None:
    probe.publish("poison", who=1)
    for number in range(3):
        probe.publish(f"derrière {number}", who=1)
        probe.publish("une autre", who=2)
    await _die(probe)
    (letter,) = await probe.letters()

    found = await _whole(probe, letter.place)

    assert found is not None
    assert found.letter == letter
    assert (letter.key, letter.attempts) == (f"{RENNES}:{member(1)}", 3)
    assert "cannot digest" in (found.stack or "")
    assert b"poison" in (found.record or b"")
    assert found.waiting == 3
    assert [each.type for each in found.behind] == [KIND] * 3
    assert [Place.of(each.place).offset for each in found.behind] == sorted(
        Place.of(each.place).offset for each in found.behind
    )
    assert await _whole(probe, Place(TOPIC, 0, 12345)) is None


async def test_its_trace_is_kept(probe: Probe) -> None:
    probe.put(b"k", b"{", [("traceparent", TRACE)])
    await probe.take()

    (letter,) = await probe.letters()

    assert letter.traceparent == TRACE.decode()
    found = await _whole(probe, letter.place)
    assert found is not None
    assert (found.record, found.waiting, found.behind) == (b"{", 0, [])


async def test_a_hundred_thousand_are_counted_and_paged_in_no_time(probe: Probe) -> None:
    owner = await asyncpg.connect(probe.owner_url.replace("+asyncpg", ""))
    await owner.execute(
        """
        INSERT INTO parked (consumer_group, topic, partition, "offset", key, state, first_failed,
                            cause, pattern)
        SELECT $1, $2, n % 8, n, 'k' || n, 'dead', $3::timestamptz + n * interval '1 second',
               'KeyError: ''' || n || '''', 'KeyError: ''…'''
        FROM generate_series(1, 100000) AS n
        """,
        GROUP,
        TOPIC,
        NOON,
    )
    await owner.execute("ANALYZE parked")
    plan = await owner.fetch(
        """
        EXPLAIN SELECT * FROM parked WHERE consumer_group = 'probe' AND state = 'dead'
        AND (first_failed, topic, partition, "offset") > ('2026-11-26', '', 0, 0)
        ORDER BY first_failed, topic, partition, "offset" LIMIT 100
        """
    )
    await owner.close()

    (cause,) = await _causes(probe)

    assert (cause.letters, cause.example) == (100_000, f"{TOPIC}/1/1")
    assert "ix_parked_dead" in str(plan)
    assert "Sort" not in str(plan)


async def _die(probe: Probe) -> None:
    await probe.take()
    for _ in range(2):
        await probe.try_again()


async def _causes(probe: Probe, *, everything: bool = False) -> list[Cause]:
    async with probe.database.batch(()) as unit:
        return await causes(unit.connection, GROUP, everything=everything)


async def _page(probe: Probe, last: Letter | None) -> list[Letter]:
    after = (last.first_failed, last.place) if last else None
    async with probe.database.batch(()) as unit:
        return await page(unit.connection, GROUP, after=after, limit=4)


async def _whole(probe: Probe, place: Place) -> Whole | None:
    async with probe.database.batch(()) as unit:
        return await whole(unit.connection, GROUP, place)
