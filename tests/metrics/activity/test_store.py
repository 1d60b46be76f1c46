"""Stored questions are the same, however their events are split into batches."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from uuid_utils.compat import uuid7

from deploy.local.stack import StackAddresses
from services.metrics.activity.domain import ActivityEvent
from services.metrics.activity.store import SqlActivityCounters
from shared.contracts.example_data import NOON
from shared.contracts.ids import SpaceId, TenantId
from shared.kit.database.database import Database
from tests.support.databases import open_service_database

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
SPACE_1, SPACE_2 = SpaceId(UUID(int=1)), SpaceId(UUID(int=2))
STORED_QUESTIONS = sa.text("SELECT space_id, asked_at, answered_at FROM questions")


@pytest.fixture
async def database(postgres_addresses: StackAddresses) -> AsyncIterator[Database]:
    async with open_service_database("metrics", postgres_addresses) as opened_database:
        yield opened_database


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_answer_from_another_space_belongs_to_its_question(
    database: Database, size: int
) -> None:
    """Events of other systems may contain this; the first event determines the question's space."""
    tenant, question = TenantId(uuid7()), str(uuid7())

    def make_answer(space: SpaceId, minutes: int) -> tuple[ActivityEvent, str]:
        return ActivityEvent(tenant, space, "answers", NOON + timedelta(minutes=minutes)), question

    answers = [make_answer(SPACE_2, 9), make_answer(SPACE_1, 5), make_answer(SPACE_2, 7)]
    for batch in _split(answers, size):
        async with database.unit_for([tenant]) as unit:
            await SqlActivityCounters().add_first_answers(unit, batch)

    (row,) = await database.execute_once(STORED_QUESTIONS, [tenant])
    assert (row.space_id, row.asked_at) == (SPACE_2, None)
    assert row.answered_at == NOON + timedelta(minutes=5)


def _split(
    answers: Sequence[tuple[ActivityEvent, str]], size: int
) -> list[Sequence[tuple[ActivityEvent, str]]]:
    return [answers[start : start + size] for start in range(0, len(answers), size)]
