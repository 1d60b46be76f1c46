"""Dead letters as an operator sees them: counted by cause, page by page, one whole."""

from datetime import timedelta

import asyncpg
import pytest

from shared.kit.inbox.dead_letters.queries import (
    CauseSummary,
    DeadLetter,
    DeadLetterDetail,
    get_dead_letter,
    list_dead_letters,
    summarise_causes,
)
from shared.kit.inbox.parked import LogPosition
from shared.kit.inbox.thresholds import FailureThreshold
from tests.support.inbox_harness import GROUP, NOON, RENNES, TOPIC, InboxHarness, member_id

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
KIND = "identity.member.suspended.v1"
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_causes_are_counted_with_blocked_events(probe: InboxHarness) -> None:
    probe.failure_threshold = FailureThreshold(max_failures=100)
    for who in range(1, 4):
        probe.publish(f"poison {who}", member=who)
        for _ in range(who - 1):
            probe.publish("derrière", member=who)
    probe.publish("invalid", member=9)
    probe.append(b"k", b"{")
    await _die(probe)
    probe.clock.advance(hours=1)
    probe.publish("poison 77", member=77)
    await _die(probe)

    digest, unreadable, invalid = await _causes(probe)

    assert (digest.cause, digest.type, digest.state) == (
        "RuntimeError: cannot digest …",
        KIND,
        "dead",
    )
    assert (digest.letters, digest.keys, digest.waiting) == (4, 2, 3)
    assert (digest.oldest, digest.newest - digest.oldest > timedelta(hours=1)) == (NOON, True)
    assert digest.example in [str(letter.position) for letter in await probe.list_dead_letters()]
    assert (invalid.cause, invalid.letters, invalid.keys) == ("Invalid: invalid field=reason", 1, 0)
    assert (unreadable.type, unreadable.letters, unreadable.waiting) == (None, 1, 0)


async def test_parked_events_are_counted_only_on_request(
    probe: InboxHarness,
) -> None:
    probe.publish("poison", member=1)
    probe.publish("derrière", member=1)
    await probe.consume_all()

    assert await _causes(probe) == []
    (parked,) = await _causes(probe, everything=True)
    assert (parked.state, parked.letters, parked.keys, parked.waiting) == ("parked", 1, 1, 1)


async def test_pages_list_all_dead_letters_oldest_first(
    probe: InboxHarness,
) -> None:
    probe.failure_threshold = FailureThreshold(max_failures=1000)
    for round_ in range(5):
        for who in range(7):
            probe.publish("invalid", member=round_ * 10 + who)
        await probe.consume_all()
        probe.clock.advance(minutes=1)

    seen: list[DeadLetter] = []
    while batch := await _page(probe, seen[-1] if seen else None):
        assert len(batch) <= 4
        seen += batch

    assert len({letter.position for letter in seen}) == 35
    assert [letter.first_failed for letter in seen] == sorted(each.first_failed for each in seen)
    assert len(await probe.list_dead_letters()) == 35


async def test_details_contain_stack_record_and_blocked_events(
    probe: InboxHarness,
) -> None:
    probe.publish("poison", member=1)
    for number in range(3):
        probe.publish(f"derrière {number}", member=1)
        probe.publish("une autre", member=2)
    await _die(probe)
    (letter,) = await probe.list_dead_letters()

    found = await _whole(probe, letter.position)

    assert found is not None
    assert found.letter == letter
    assert (letter.key, letter.attempts) == (f"{RENNES}:{member_id(1)}", 3)
    assert "cannot digest" in (found.stack or "")
    assert b"poison" in (found.record or b"")
    assert found.waiting == 3
    assert [each.type for each in found.behind] == [KIND] * 3
    assert [LogPosition.parse(each.place).offset for each in found.behind] == sorted(
        LogPosition.parse(each.place).offset for each in found.behind
    )
    assert await _whole(probe, LogPosition(TOPIC, 0, 12345)) is None


async def test_trace_context_of_an_unreadable_record_is_stored(probe: InboxHarness) -> None:
    probe.append(b"k", b"{", [("traceparent", TRACE)])
    await probe.consume_all()

    (letter,) = await probe.list_dead_letters()

    assert letter.traceparent == TRACE.decode()
    found = await _whole(probe, letter.position)
    assert found is not None
    assert (found.record, found.waiting, found.behind) == (b"{", 0, [])


async def test_queries_of_100000_dead_letters_use_the_index(probe: InboxHarness) -> None:
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


async def _die(probe: InboxHarness) -> None:
    await probe.consume_all()
    for _ in range(2):
        await probe.retry_parked()


async def _causes(probe: InboxHarness, *, everything: bool = False) -> list[CauseSummary]:
    async with probe.database.unit_for(()) as unit:
        return await summarise_causes(unit.connection, GROUP, everything=everything)


async def _page(probe: InboxHarness, last: DeadLetter | None) -> list[DeadLetter]:
    after = (last.first_failed, last.position) if last else None
    async with probe.database.unit_for(()) as unit:
        return await list_dead_letters(unit.connection, GROUP, after=after, limit=4)


async def _whole(probe: InboxHarness, place: LogPosition) -> DeadLetterDetail | None:
    async with probe.database.unit_for(()) as unit:
        return await get_dead_letter(unit.connection, GROUP, place)
