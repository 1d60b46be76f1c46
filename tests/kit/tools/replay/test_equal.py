"""What the log rebuilds is what is live, in whatever order the topics come."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from shared.contracts.event import Fact
from shared.kit.core.unit_of_work import Delivery
from shared.kit.database.database import SqlUnit
from shared.kit.inbox.attempt import BatchAttempt
from shared.kit.tools.replay.feed import ReadOrder
from tests.kit.tools.replay.conftest import SERVICES, ReplayPlatform

# They take long, and run where the real servers are tested.
pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize(
    ("service", "order"),
    [(service, order) for service in SERVICES for order in ReadOrder],
)
async def test_the_log_says_what_is_live(
    past: ReplayPlatform, service: str, order: ReadOrder
) -> None:
    report = await past.replay(service, order=order)
    assert report.differences == 0, [t for t in report.tables if t.differences]
    assert report.equal
    assert not report.failed
    assert {table.live_rows for table in report.tables} != {0}


async def test_a_batch_that_took_too_long_is_read_to_its_end(
    past: ReplayPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []
    really = BatchAttempt._react

    async def slow(self: BatchAttempt, unit: SqlUnit, deliveries: Sequence[Delivery[Fact]]) -> None:
        if ".shadow." in self.group:
            tried.append(len(deliveries))
            if len(tried) == 1:
                raise TimeoutError
        await really(self, unit, deliveries)

    monkeypatch.setattr(BatchAttempt, "_react", slow)

    report = await past.replay("notifications")

    assert len(tried) > 2, tried
    assert report.equal


async def test_ended_sessions_are_rebuilt_and_expired_ones_not_compared(
    past: ReplayPlatform,
) -> None:
    tokens = await past.world.sign_in("ines")
    sent = {"authorization": f"Bearer {tokens['access_token']}"}
    await past.world.http.post("/identity/v1/sessions/sign-out", headers=sent)
    await past.world.wait_until_idle()
    insert = """
        INSERT INTO rights_ended_sessions (tenant_id, session_id, expires_at)
        VALUES ($1, gen_random_uuid(), now() + $2::interval)
    """
    tenant = past.world.seeded.tenant
    await past.sql("notifications", insert, tenant, timedelta(minutes=-1))

    report = await past.replay("notifications")

    ended = next(t for t in report.tables if t.table == "rights_ended_sessions")
    assert report.equal
    assert ended.rows == ended.live_rows > 0
    await past.sql("notifications", insert, tenant, timedelta(minutes=1))
    report = await past.replay("notifications")
    assert report.differences == 1, "one that still holds and that no fact tells of"
    await past.sql("notifications", "DELETE FROM rights_ended_sessions")
