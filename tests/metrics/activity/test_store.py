"""What is kept of questions: the same, however their facts are cut into batches."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from uuid_utils.compat import uuid7

from deploy.local.stack import StackAddresses
from services.metrics.activity.domain import ActivityEvent
from services.metrics.activity.store import SqlActivityCounters
from shared.contracts.cast import NOON
from shared.contracts.ids import SpaceId, TenantId
from shared.kit.database.database import Database
from tests.support.databases import open_service_database

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
HERE, ELSEWHERE = SpaceId(UUID(int=1)), SpaceId(UUID(int=2))
KEPT = sa.text("SELECT space_id, asked_at, answered_at FROM questions")


@pytest.fixture
async def database(postgres_addresses: StackAddresses) -> AsyncIterator[Database]:
    async with open_service_database("metrics", postgres_addresses) as opened:
        yield opened


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_an_answer_that_names_another_space_stays_with_its_question(
    database: Database, size: int
) -> None:
    """Foreign facts may say so; the first that came says where the question is."""
    tenant, question = TenantId(uuid7()), str(uuid7())

    def answer(space: SpaceId, minutes: int) -> tuple[ActivityEvent, str]:
        return ActivityEvent(tenant, space, "answers", NOON + timedelta(minutes=minutes)), question

    arrived = [answer(ELSEWHERE, 9), answer(HERE, 5), answer(ELSEWHERE, 7)]
    for batch in _cut(arrived, size):
        async with database.unit_for([tenant]) as unit:
            await SqlActivityCounters().add_first_answers(unit, batch)

    (row,) = await database.execute_once(KEPT, [tenant])
    assert (row.space_id, row.asked_at) == (ELSEWHERE, None)
    assert row.answered_at == NOON + timedelta(minutes=5)


def _cut(
    arrived: Sequence[tuple[ActivityEvent, str]], size: int
) -> list[Sequence[tuple[ActivityEvent, str]]]:
    return [arrived[at : at + size] for at in range(0, len(arrived), size)]
