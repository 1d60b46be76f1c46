"""A text that exceeds the screening deadline is reviewed by a person and blocks no other."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TypeVar
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa
from msgspec import structs
from uuid_utils.compat import uuid7

from deploy.local.stack import StackAddresses
from shared.contracts.community import ContentText, PostPublished
from shared.contracts.event import Envelope, Origin
from shared.contracts.ids import ContentId
from shared.contracts.moderation import CaseOpened, ContentScreened, DecisionMade, Verdict
from shared.kit.workers.pool import WorkerPool
from shared.kit.workers.process import WorkerJob
from tests.reactions.harness import ReactionHarness, open_reaction_harness

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
Published = TypeVar("Published", ContentScreened, CaseOpened, DecisionMade)
HOSTILE = ["spin for ever", "die at once"]
_OUTBOX = sa.text("SELECT value FROM outbox ORDER BY position")


@pytest.fixture
async def moderation(postgres_addresses: StackAddresses) -> AsyncIterator[ReactionHarness]:
    """Moderation with a worker that hangs or exits on certain texts."""
    settings = [("MODERATION_SCREENING_DEADLINE_MS", "500")]
    async with open_reaction_harness("moderation", postgres_addresses, settings) as service:
        pool = pool_of(service)
        pool.job = replace(pool.job, factory="tests.reactions.jobs:open_stumbling")
        yield service


def pool_of(moderation: ReactionHarness) -> WorkerPool:
    (pool,) = (e for e in moderation.service.resources if isinstance(e, WorkerPool))
    return pool


def a_post(body: str, form: str = "plain") -> PostPublished:
    example = PostPublished.example()
    clear = ContentText(body=body, format=form, language="fr")
    return structs.replace(
        example,
        ref=structs.replace(example.ref, id=ContentId(uuid7())),
        content=structs.replace(example.content, clear=clear),
    )


@pytest.mark.parametrize("body", HOSTILE)
async def test_unscreened_text_opens_case_and_next_is_screened(
    moderation: ReactionHarness, body: str
) -> None:
    hostile, insult = a_post(body), a_post("espèce de connard")

    became = await moderation.react(hostile, insult)

    assert became == {"applied": 2}
    first, second = await _published(moderation, ContentScreened)
    assert (first.ref.id, first.degraded, first.verdict) == (hostile.ref.id, True, Verdict.REVIEW)
    assert (second.degraded, second.verdict) == (False, Verdict.HIDE)
    cases = {case.ref.id: case.because for case in await _published(moderation, CaseOpened)}
    assert cases == {hostile.ref.id: "unread", insult.ref.id: "rule"}
    assert [item.ref.id for item in await _published(moderation, DecisionMade)] == [insult.ref.id]


async def test_an_imported_unread_text_is_only_recorded(moderation: ReactionHarness) -> None:
    await moderation.react(a_post("spin"), origin=Origin.IMPORT)

    (screened,) = await _published(moderation, ContentScreened)
    assert screened.degraded
    assert await _published(moderation, CaseOpened) == []


async def test_no_transaction_is_open_while_a_text_is_late(moderation: ReactionHarness) -> None:
    await moderation.react(a_post("bonjour"))
    began = len(moderation.transaction_seconds)
    await moderation.react(a_post("spin"), a_post("bonsoir"))

    assert max(moderation.transaction_seconds[began:]) < 0.25


async def test_texts_are_reviewed_when_no_worker_starts(
    moderation: ReactionHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.kit.workers.pool.START_RETRY_SECONDS", 0.0)
    pool_of(moderation).job = WorkerJob("tests.support.worker_jobs:open_exiting", 0.5)

    assert await moderation.react(a_post("a"), a_post("b")) == {"applied": 2}
    assert {case.because for case in await _published(moderation, CaseOpened)} == {"unread"}


async def _published(moderation: ReactionHarness, kind: type[Published]) -> list[Published]:
    rows = await moderation.service.database.execute_once(_OUTBOX)
    envelopes = [msgspec.json.decode(row.value, type=Envelope) for row in rows]
    return [
        msgspec.json.decode(envelope.data, type=kind)
        for envelope in envelopes
        if envelope.tenant == UUID(str(moderation.tenant)) and envelope.type == kind.wire_type()
    ]
