"""Queries of dead letters: counts by cause, pages, and details."""

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
WIRE_TYPE = "identity.member.suspended.v1"
TRACEPARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_causes_are_counted_with_blocked_events(harness: InboxHarness) -> None:
    harness.failure_threshold = FailureThreshold(max_failures=100)
    for member in range(1, 4):
        harness.publish(f"poison {member}", member=member)
        for _ in range(member - 1):
            harness.publish("derrière", member=member)
    harness.publish("invalid", member=9)
    harness.append(b"k", b"{")
    await _fail_all_attempts(harness)
    harness.clock.advance(hours=1)
    harness.publish("poison 77", member=77)
    await _fail_all_attempts(harness)

    digest, unreadable, invalid = await _summarise_causes(harness)

    assert (digest.cause, digest.type, digest.state) == (
        "RuntimeError: cannot digest …",
        WIRE_TYPE,
        "dead",
    )
    assert (digest.letters, digest.keys, digest.waiting) == (4, 2, 3)
    assert (digest.oldest, digest.newest - digest.oldest > timedelta(hours=1)) == (NOON, True)
    assert digest.example in [str(letter.position) for letter in await harness.list_dead_letters()]
    assert (invalid.cause, invalid.letters, invalid.keys) == ("Invalid: invalid field=reason", 1, 0)
    assert (unreadable.type, unreadable.letters, unreadable.waiting) == (None, 1, 0)


async def test_parked_events_are_counted_only_on_request(
    harness: InboxHarness,
) -> None:
    harness.publish("poison", member=1)
    harness.publish("derrière", member=1)
    await harness.consume_all()

    assert await _summarise_causes(harness) == []
    (parked,) = await _summarise_causes(harness, all_states=True)
    assert (parked.state, parked.letters, parked.keys, parked.waiting) == ("parked", 1, 1, 1)


async def test_pages_list_all_dead_letters_oldest_first(
    harness: InboxHarness,
) -> None:
    harness.failure_threshold = FailureThreshold(max_failures=1000)
    for round_ in range(5):
        for member in range(7):
            harness.publish("invalid", member=round_ * 10 + member)
        await harness.consume_all()
        harness.clock.advance(minutes=1)

    listed: list[DeadLetter] = []
    while batch := await _list_page(harness, listed[-1] if listed else None):
        assert len(batch) <= 4
        listed += batch

    assert len({letter.position for letter in listed}) == 35
    assert [letter.first_failed for letter in listed] == sorted(
        listed_letter.first_failed for listed_letter in listed
    )
    assert len(await harness.list_dead_letters()) == 35


async def test_details_contain_stack_record_and_blocked_events(
    harness: InboxHarness,
) -> None:
    harness.publish("poison", member=1)
    for number in range(3):
        harness.publish(f"derrière {number}", member=1)
        harness.publish("une autre", member=2)
    await _fail_all_attempts(harness)
    (letter,) = await harness.list_dead_letters()

    detail = await _get_detail(harness, letter.position)

    assert detail is not None
    assert detail.letter == letter
    assert (letter.key, letter.attempts) == (f"{RENNES}:{member_id(1)}", 3)
    assert "cannot digest" in (detail.stack or "")
    assert b"poison" in (detail.record or b"")
    assert detail.waiting == 3
    assert [blocked.type for blocked in detail.behind] == [WIRE_TYPE] * 3
    assert [LogPosition.parse(blocked.place).offset for blocked in detail.behind] == sorted(
        LogPosition.parse(blocked.place).offset for blocked in detail.behind
    )
    assert await _get_detail(harness, LogPosition(TOPIC, 0, 12345)) is None


async def test_trace_context_of_an_unreadable_record_is_stored(harness: InboxHarness) -> None:
    harness.append(b"k", b"{", [("traceparent", TRACEPARENT)])
    await harness.consume_all()

    (letter,) = await harness.list_dead_letters()

    assert letter.traceparent == TRACEPARENT.decode()
    detail = await _get_detail(harness, letter.position)
    assert detail is not None
    assert (detail.record, detail.waiting, detail.behind) == (b"{", 0, [])


async def test_queries_of_100000_dead_letters_use_the_index(harness: InboxHarness) -> None:
    owner = await asyncpg.connect(harness.owner_url.replace("+asyncpg", ""))
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

    (cause,) = await _summarise_causes(harness)

    assert (cause.letters, cause.example) == (100_000, f"{TOPIC}/1/1")
    assert "ix_parked_dead" in str(plan)
    assert "Sort" not in str(plan)


async def _fail_all_attempts(harness: InboxHarness) -> None:
    await harness.consume_all()
    for _ in range(2):
        await harness.retry_parked()


async def _summarise_causes(
    harness: InboxHarness, *, all_states: bool = False
) -> list[CauseSummary]:
    async with harness.database.unit_for(()) as unit:
        return await summarise_causes(unit.connection, GROUP, all_states=all_states)


async def _list_page(harness: InboxHarness, last: DeadLetter | None) -> list[DeadLetter]:
    after = (last.first_failed, last.position) if last else None
    async with harness.database.unit_for(()) as unit:
        return await list_dead_letters(unit.connection, GROUP, after=after, limit=4)


async def _get_detail(harness: InboxHarness, position: LogPosition) -> DeadLetterDetail | None:
    async with harness.database.unit_for(()) as unit:
        return await get_dead_letter(unit.connection, GROUP, position)
