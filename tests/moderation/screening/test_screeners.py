"""Both implementations of `Screener` return the same verdicts, in the order of the contents."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from services.moderation.main import SCREENING_JOB
from services.moderation.rules.handlers.open_engine import open_engine
from services.moderation.screening.domain import ScreeningRequest, unscreened_result
from services.moderation.screening.ports import Screener
from services.moderation.screening.store import InProcessScreener, WorkerPoolScreener
from shared.contracts.community import ContentText
from shared.contracts.moderation import Verdict
from shared.kit.telemetry.noop import NoTelemetry
from shared.kit.workers.pool import WorkerPool
from shared.kit.workers.process import WorkerJob

CONTENTS = [
    ContentText(body="Bonjour à tous 🎸", language="fr"),
    ContentText(body="espèce de connard", title="Toi", language="fr"),
    ContentText(body="<p>esp&egrave;ce de <b>con</b>nard</p>", format="html"),
    ContentText(body="", title="Vide"),
    ContentText(body="Écris-moi à zoe@exemple.fr"),
] * 7


@pytest.fixture(params=["rules", "workers"])
async def screener(request: pytest.FixtureRequest) -> AsyncIterator[Screener]:
    if request.param == "rules":
        yield InProcessScreener(open_engine(today=lambda: datetime.now(UTC).date()))
        return
    pool = WorkerPool("screening", WorkerJob(SCREENING_JOB, 5.0), 1, NoTelemetry())
    try:
        yield WorkerPoolScreener(pool)
    finally:
        await pool.close()


async def test_contents_are_screened_in_their_order(screener: Screener) -> None:
    screened = await screener.screen([ScreeningRequest(content) for content in CONTENTS])

    verdicts = [result.verdict for result in screened]
    assert verdicts[:3] == [Verdict.PASS, Verdict.HIDE, Verdict.HIDE]
    assert verdicts == verdicts[:5] * 7
    assert "zoe@exemple.fr" not in screened[4].masked
    assert not any(result.degraded or result.is_unscreened for result in screened)
    assert len({result.content_hash for result in screened}) == 5


async def test_screening_no_texts_returns_nothing(screener: Screener) -> None:
    assert list(await screener.screen([])) == []


def test_unscreened_text_is_reviewed_with_its_source() -> None:
    unread = unscreened_result(ContentText(body="<p>a", title="b", format="html"))

    assert (unread.verdict, unread.degraded, unread.is_unscreened) == (Verdict.REVIEW, True, True)
    assert (unread.masked, unread.severity) == ("b\n\n<p>a", 2)
