"""I6, I9 and I10: consistency checks, tenant isolation and lag."""

from collections.abc import AsyncIterator

import pytest

from shared.kit.database.tables import TENANT_ROW_POLICY
from shared.kit.tools.reconcile.declarations import ConsistencyCheck, EventReference, facts_required
from tests.support.inbox_harness import LYON, RENNES
from tests.support.mini_service import SPACE, TOPIC, MiniService, space_id, violation_texts

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
KEY = f"{RENNES}:{SPACE}"
COUNT_PER_KEY = ConsistencyCheck(
    "I6",
    "words of each key",
    "SELECT key, count(*)::text AS value FROM effects GROUP BY 1",
    "SELECT key, sequence::text AS value FROM heads WHERE topic = 'community.space'",
)


@pytest.fixture
async def restored_service(mini_service: MiniService) -> AsyncIterator[MiniService]:
    """A service whose schema a test may change; it is restored afterwards."""
    yield mini_service
    await mini_service.sql("ALTER TABLE effects FORCE ROW LEVEL SECURITY")
    await mini_service.sql("DROP POLICY IF EXISTS everybody ON effects")
    await mini_service.sql("DROP POLICY IF EXISTS tenants_visible ON effects")
    await mini_service.sql(
        f"CREATE POLICY tenants_visible ON effects USING ({TENANT_ROW_POLICY})"
        f" WITH CHECK ({TENANT_ROW_POLICY})"
    )


async def test_projection_that_differs_from_recomputation_is_reported(
    mini_service: MiniService,
) -> None:
    mini_service.consistency_checks = (COUNT_PER_KEY,)
    await mini_service.publish_and_consume(times=2)
    await mini_service.publish_and_consume(key=space_id(2))
    assert (await mini_service.check()).clean
    await mini_service.sql("DELETE FROM effects WHERE nth = (SELECT min(nth) FROM effects)")
    await mini_service.sql("DELETE FROM effects WHERE key = $1", f"{RENNES}:{space_id(2)}")

    report = await mini_service.check()

    assert [(violation.invariant, violation.key, violation.text) for violation in report.wrong] == [
        ("I6", KEY, "community, words of each key: stored 1, recomputed 2"),
        (
            "I6",
            f"{RENNES}:{space_id(2)}",
            "community, words of each key: stored nothing, recomputed 1",
        ),
    ]


async def test_rows_without_their_events_are_reported(mini_service: MiniService) -> None:
    required = "SELECT key, count(*) AS n FROM effects GROUP BY 1"
    mini_service.consistency_checks = (facts_required("facts of words", required, TOPIC),)
    await mini_service.publish_and_consume(times=2)
    assert (await mini_service.check()).clean
    await mini_service.sql(
        "INSERT INTO effects (tenant_id, key) SELECT tenant_id, key FROM effects"
    )

    assert violation_texts(await mini_service.check()) == [
        "I2 community, facts of words: stored 4, recomputed 2"
    ]


async def test_differences_beyond_the_listed_ones_are_counted(mini_service: MiniService) -> None:
    mini_service.consistency_checks = (COUNT_PER_KEY,)
    await mini_service.publish_ignored(space_id(3))
    await mini_service.sql(
        "INSERT INTO effects (tenant_id, key) SELECT $1, n FROM generate_series(1, 130) n", RENNES
    )

    report = await mini_service.check()

    assert (len(report.wrong), report.counted["I6"]) == (100, 131)
    assert any("… and 31 more" in line for line in report.lines())


async def test_table_without_row_security_is_reported(restored_service: MiniService) -> None:
    await restored_service.publish_and_consume()
    await restored_service.publish_and_consume(tenant=LYON)
    await restored_service.sql("ALTER TABLE effects NO FORCE ROW LEVEL SECURITY")
    assert violation_texts(await restored_service.check()) == [
        "I9 its row-level security is incomplete"
    ]
    await restored_service.sql("ALTER TABLE effects FORCE ROW LEVEL SECURITY")
    await restored_service.sql("CREATE POLICY everybody ON effects FOR SELECT USING (true)")

    lines = violation_texts(await restored_service.check())

    assert "I9 a session without a tenant sees rows of other tenants" in lines
    assert f"I9 a session of tenant {RENNES} sees rows of other tenants" in lines
    assert f"I9 a session of tenant {LYON} sees rows of other tenants" in lines


async def test_row_with_another_tenants_event_is_reported(mini_service: MiniService) -> None:
    mini_service.event_references = (EventReference("idempotency", "member_id"),)
    await mini_service.publish_and_consume()
    event = mini_service.events()[0]["id"]
    row = """
        INSERT INTO idempotency (tenant_id, member_id, key, fingerprint, status, body, created_at)
        VALUES (current_setting('app.tenants')::uuid, $1, 'k', '', 200, '', now())
    """
    await mini_service.sql(row, event)
    assert violation_texts(await mini_service.check()) == []
    await mini_service.publish_and_consume(tenant=LYON)
    event_of_lyon = next(
        event["id"] for event in mini_service.events() if event["tenant"] == str(LYON)
    )
    await mini_service.sql(row, event_of_lyon)

    assert violation_texts(await mini_service.check()) == [
        f"I9 a row of {RENNES} refers to an event of {LYON}"
    ]


async def test_event_parked_under_another_tenant_is_reported(mini_service: MiniService) -> None:
    await mini_service.publish_and_consume("poison")
    await mini_service.sql("UPDATE parked SET tenant_id = $1", LYON)

    assert violation_texts(await mini_service.check()) == [
        f"I9 community: parked under tenant {LYON}, but its event has key {KEY}"
    ]


async def test_platform_that_does_not_become_idle_is_reported(mini_service: MiniService) -> None:
    await mini_service.publish_and_consume()
    await mini_service.publish()

    report = await mini_service.check(wait=0.6)

    assert violation_texts(report) == ["I10 did not become idle in 1 s"]
    assert report.waiting == {"community": 1}
