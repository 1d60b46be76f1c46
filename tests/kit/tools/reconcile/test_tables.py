"""I6, I9 and I10: projections, tenants, rest."""

from collections.abc import AsyncIterator

import pytest

from shared.kit.database.tables import TENANT_ROW_POLICY
from shared.kit.tools.reconcile.agreement import ConsistencyCheck, EventReference, facts_required
from tests.support.inbox_harness import LYON, RENNES
from tests.support.mini_service import SPACE, TOPIC, MiniService, space_id, violation_texts

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
KEY = f"{RENNES}:{SPACE}"
WORDS = ConsistencyCheck(
    "I6",
    "words of each key",
    "SELECT key, count(*)::text AS value FROM effects GROUP BY 1",
    "SELECT key, sequence::text AS value FROM heads WHERE topic = 'community.space'",
)


@pytest.fixture
async def breakable(small: MiniService) -> AsyncIterator[MiniService]:
    """One whose schema a test may break: it is mended afterwards."""
    yield small
    await small.sql("ALTER TABLE effects FORCE ROW LEVEL SECURITY")
    await small.sql("DROP POLICY IF EXISTS everybody ON effects")
    await small.sql("DROP POLICY IF EXISTS tenants_visible ON effects")
    await small.sql(
        f"CREATE POLICY tenants_visible ON effects USING ({TENANT_ROW_POLICY})"
        f" WITH CHECK ({TENANT_ROW_POLICY})"
    )


async def test_a_projection_that_its_source_does_not_bear_out(small: MiniService) -> None:
    small.agreements = (WORDS,)
    await small.publish_and_consume(times=2)
    await small.publish_and_consume(key=space_id(2))
    assert (await small.check()).clean
    await small.sql("DELETE FROM effects WHERE nth = (SELECT min(nth) FROM effects)")
    await small.sql("DELETE FROM effects WHERE key = $1", f"{RENNES}:{space_id(2)}")

    report = await small.check()

    assert [(each.invariant, each.key, each.text) for each in report.wrong] == [
        ("I6", KEY, "community, words of each key: stored 1, recomputed 2"),
        (
            "I6",
            f"{RENNES}:{space_id(2)}",
            "community, words of each key: stored nothing, recomputed 1",
        ),
    ]


async def test_facts_that_rows_owe(small: MiniService) -> None:
    owed = "SELECT key, count(*) AS n FROM effects GROUP BY 1"
    small.agreements = (facts_required("facts of words", owed, TOPIC),)
    await small.publish_and_consume(times=2)
    assert (await small.check()).clean
    await small.sql("INSERT INTO effects (tenant_id, key) SELECT tenant_id, key FROM effects")

    assert violation_texts(await small.check()) == [
        "I2 community, facts of words: stored 4, recomputed 2"
    ]


async def test_more_differences_than_are_shown_are_counted(small: MiniService) -> None:
    small.agreements = (WORDS,)
    await small.publish_ignored(space_id(3))
    await small.sql(
        "INSERT INTO effects (tenant_id, key) SELECT $1, n FROM generate_series(1, 130) n", RENNES
    )

    report = await small.check()

    assert (len(report.wrong), report.counted["I6"]) == (100, 131)
    assert any("… and 31 more" in line for line in report.lines())


async def test_a_table_without_its_guard(breakable: MiniService) -> None:
    await breakable.publish_and_consume()
    await breakable.publish_and_consume(tenant=LYON)
    await breakable.sql("ALTER TABLE effects NO FORCE ROW LEVEL SECURITY")
    assert violation_texts(await breakable.check()) == ["I9 its row policy is not whole"]
    await breakable.sql("ALTER TABLE effects FORCE ROW LEVEL SECURITY")
    await breakable.sql("CREATE POLICY everybody ON effects FOR SELECT USING (true)")

    lines = violation_texts(await breakable.check())

    assert "I9 who names no tenant sees rows of other tenants in it" in lines
    assert f"I9 who sees {RENNES} sees rows of other tenants in it" in lines
    assert f"I9 who sees {LYON} sees rows of other tenants in it" in lines


async def test_a_row_that_names_another_tenants_event(small: MiniService) -> None:
    small.events_named = (EventReference("idempotency", "member_id"),)
    await small.publish_and_consume()
    event = small.events()[0]["id"]
    row = """
        INSERT INTO idempotency (tenant_id, member_id, key, fingerprint, status, body, created_at)
        VALUES (current_setting('app.tenants')::uuid, $1, 'k', '', 200, '', now())
    """
    await small.sql(row, event)
    assert violation_texts(await small.check()) == []
    await small.publish_and_consume(tenant=LYON)
    lyons = next(each["id"] for each in small.events() if each["tenant"] == str(LYON))
    await small.sql(row, lyons)

    assert violation_texts(await small.check()) == [
        f"I9 a row of {RENNES} names an event of {LYON}"
    ]


async def test_something_set_aside_under_another_tenant(small: MiniService) -> None:
    await small.publish_and_consume("poison")
    await small.sql("UPDATE parked SET tenant_id = $1", LYON)

    assert violation_texts(await small.check()) == [
        f"I9 community: set aside under {LYON}, its event is of {KEY}"
    ]


async def test_whoever_waits_for_rest_is_told_that_there_is_none(small: MiniService) -> None:
    await small.publish_and_consume()
    await small.publish()

    report = await small.check(wait=0.6)

    assert violation_texts(report) == ["I10 did not come to rest in 1 s"]
    assert report.waiting == {"community": 1}
