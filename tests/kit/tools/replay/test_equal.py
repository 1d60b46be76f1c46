"""Rebuilt tables equal the live ones, for every order of topics."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from shared.contracts.event import Fact
from shared.kit.core.unit_of_work import Delivery
from shared.kit.database.database import SqlUnit
from shared.kit.inbox.attempt import BatchAttempt
from shared.kit.tools.replay.feed import ReadOrder
from tests.kit.tools.replay.conftest import SERVICES, ReplayPlatform

# Slow tests: they run with the system tests.
pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize(
    ("service", "order"),
    [(service, order) for service in SERVICES for order in ReadOrder],
)
async def test_rebuilt_tables_equal_live_tables(
    replay_platform: ReplayPlatform, service: str, order: ReadOrder
) -> None:
    report = await replay_platform.replay(service, order=order)
    assert report.differences == 0, [t for t in report.tables if t.differences]
    assert report.equal
    assert not report.failed
    assert {table.live_rows for table in report.tables} != {0}


async def test_batch_that_timed_out_is_applied_completely(
    replay_platform: ReplayPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_sizes: list[int] = []
    run_reactions = BatchAttempt._run_reactions

    async def run_slowly(
        self: BatchAttempt, unit: SqlUnit, deliveries: Sequence[Delivery[Fact]]
    ) -> None:
        if ".shadow." in self.group:
            batch_sizes.append(len(deliveries))
            if len(batch_sizes) == 1:
                raise TimeoutError
        await run_reactions(self, unit, deliveries)

    monkeypatch.setattr(BatchAttempt, "_run_reactions", run_slowly)

    report = await replay_platform.replay("notifications")

    assert len(batch_sizes) > 2, batch_sizes
    assert report.equal


async def test_expired_sessions_are_not_compared(
    replay_platform: ReplayPlatform,
) -> None:
    tokens = await replay_platform.harness.sign_in("ines")
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    await replay_platform.harness.http.post("/identity/v1/sessions/sign-out", headers=headers)
    await replay_platform.harness.wait_until_idle()
    insert = """
        INSERT INTO rights_ended_sessions (tenant_id, session_id, expires_at)
        VALUES ($1, gen_random_uuid(), now() + $2::interval)
    """
    tenant = replay_platform.harness.seeded.tenant
    await replay_platform.sql("notifications", insert, tenant, timedelta(minutes=-1))

    report = await replay_platform.replay("notifications")

    comparison = next(table for table in report.tables if table.table == "rights_ended_sessions")
    assert report.equal
    assert comparison.rows == comparison.live_rows > 0
    await replay_platform.sql("notifications", insert, tenant, timedelta(minutes=1))
    report = await replay_platform.replay("notifications")
    assert report.differences == 1, "a valid session without an event"
    await replay_platform.sql("notifications", "DELETE FROM rights_ended_sessions")
