"""A case through edits, removals, flags and decisions, on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from deploy.local.stack import StackAddresses
from services.moderation.cases.domain import CaseFile, CaseIsClosed, ContentChanged
from services.moderation.cases.handlers.moderate import Decide, decide_case, read_case
from services.moderation.screening.domain import ScreeningResult
from services.moderation.screening.reactions import screen_content
from shared.contracts.event import Origin
from shared.contracts.ids import CaseId
from shared.contracts.moderation import Action, Verdict
from tests.moderation.content_scenario import (
    INES,
    OMAR,
    ContentScenario,
    a_screening_result,
    open_scenario,
)

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
PASS = a_screening_result(Verdict.PASS, "Bonjour à toutes et tous.")
HIDE = a_screening_result(Verdict.HIDE, "Une insulte.")
REVIEW = a_screening_result(Verdict.REVIEW, "Un doute.")
CALL = a_screening_result(Verdict.REVIEW, "J’ai envie de mourir.", helps=True)
RULE_HIDES, RULE_SHOWS = ("hide", "rule", 1), ("keep", "rule", 2)


@pytest.fixture
async def history(postgres_addresses: StackAddresses) -> AsyncIterator[ContentScenario]:
    async with open_scenario(postgres_addresses) as opened:
        yield opened


async def _dossier(history: ContentScenario) -> CaseFile:
    (case,) = await history.rows("SELECT case_id FROM cases ORDER BY opened_at DESC LIMIT 1")
    return await read_case(history.cases, history.caller, history.moderator(), CaseId(case.case_id))


async def test_a_corrected_text_is_shown_when_only_a_rule_hid_it(history: ContentScenario) -> None:
    await history.screen(history.written(1, HIDE))
    await history.screen(history.written(2, PASS))
    assert await history.decisions() == [RULE_HIDES, RULE_SHOWS]
    assert await history.open_cases() == ["rule"], "a person still looks at what was said"


async def test_versions_of_one_batch_are_judged_in_their_order(history: ContentScenario) -> None:
    await history.screen(history.written(1, HIDE), history.written(2, PASS))
    assert await history.decisions() == [RULE_HIDES, RULE_SHOWS]
    dossier = await _dossier(history)
    assert [each.text for each in dossier.evidence] == [HIDE.masked, PASS.masked]


async def test_a_corrected_text_that_is_doubtful_stays_hidden(history: ContentScenario) -> None:
    await history.screen(history.written(1, HIDE))
    await history.screen(history.written(2, REVIEW))
    assert await history.decisions() == [RULE_HIDES, ("hide", "rule", 2)]


async def test_a_visible_text_that_becomes_doubtful_is_not_hidden(history: ContentScenario) -> None:
    await history.screen(history.written(1, PASS))
    await history.screen(history.written(2, REVIEW))
    assert (await history.decisions(), await history.open_cases()) == ([], ["rule"])


@pytest.mark.parametrize("second", [PASS, REVIEW, HIDE])
async def test_only_a_person_shows_what_a_person_hid(
    history: ContentScenario, second: ScreeningResult
) -> None:
    await history.screen(history.written(1, HIDE))
    await history.decide(1, Action.HIDE)
    await history.screen(history.written(2, second))
    assert await history.decisions() == [RULE_HIDES, ("hide", "member", 1)]
    assert len(await history.open_cases()) == 1
    await history.decide(2, Action.KEEP)
    await history.screen(history.written(3, PASS))
    assert (await history.decisions())[-1] == ("keep", "rule", 3)


async def test_what_was_never_hidden_needs_no_decision_at_each_edit(
    history: ContentScenario,
) -> None:
    for version in range(1, 4):
        await history.screen(history.written(version, PASS))
    assert (await history.decisions(), await history.open_cases()) == ([], [])


async def test_a_keep_on_a_text_that_was_edited_meanwhile_is_said_again(
    history: ContentScenario,
) -> None:
    """Community keeps the edited text hidden: the keep names the version before it."""
    await history.screen(history.written(1, HIDE))
    await history.decide(1, Action.KEEP)
    await history.screen(history.written(2, PASS))
    assert (await history.decisions())[-1] == ("keep", "rule", 2)


async def test_neither_edit_nor_removal_closes_a_case(history: ContentScenario) -> None:
    await history.screen(history.written(1, PASS))
    await history.flag(INES)
    await history.screen(history.written(2, PASS))
    await history.remove()
    await history.flag(OMAR)
    dossier = await _dossier(history)
    assert (dossier.case.state, dossier.case.flags, dossier.text) == ("open", 2, None)
    assert dossier.removed_at is not None
    assert [(e.what, e.version) for e in dossier.timeline] == [
        ("flag", 1),
        ("edited", 2),
        ("removed_by_author", 1),
        ("flag", 1),
    ]
    assert dossier.evidence[0].text == PASS.masked
    await history.decide(2, Action.HIDE)
    assert await history.decisions() == [("hide", "member", 2)]


async def test_one_person_who_flags_twice_is_one_person(history: ContentScenario) -> None:
    await history.screen(history.written(1, PASS))
    await history.screen(history.written(2, PASS))
    await history.flag(INES, 1, "insult")
    await history.flag(INES, 2, "violence")
    dossier = await _dossier(history)
    assert (dossier.case.flags, dossier.case.severity) == (1, 4)
    assert [(f.version, f.reason) for f in dossier.flags] == [(1, "insult"), (2, "violence")]


async def test_a_decision_on_an_older_version_is_refused(history: ContentScenario) -> None:
    await history.screen(history.written(1, PASS))
    await history.flag(INES)
    await history.screen(history.written(2, HIDE))
    for version in (1, 3):
        with pytest.raises(ContentChanged) as refused:
            await history.decide(version, Action.KEEP)
        assert refused.value.facts["version"] == 2
    assert await history.decisions() == [("hide", "rule", 2)]


async def test_a_decision_waits_for_an_edit_that_is_being_screened(
    history: ContentScenario,
) -> None:
    await history.screen(history.written(1, PASS))
    await history.flag(INES)
    async with history.batch() as unit:
        await screen_content(history.screening, unit, [history.written(2, HIDE)])
        decision = asyncio.create_task(history.decide(1, Action.KEEP))
        await asyncio.sleep(0.2)
        assert not decision.done()
    with pytest.raises(ContentChanged):
        await decision


async def test_a_decided_case_is_not_decided_again(history: ContentScenario) -> None:
    await history.screen(history.written(1, HIDE))
    (case,) = await history.rows("SELECT case_id FROM cases")
    await history.decide(1, Action.KEEP)
    command = Decide(CaseId(case.case_id), 1, Action.REMOVE, "insult", "insult.direct")
    with pytest.raises(CaseIsClosed):
        await decide_case(history.cases, history.caller, history.moderator(), command)


async def test_help_is_offered_once_a_day_whatever_the_number_of_edits(
    history: ContentScenario,
) -> None:
    for version in range(1, 6):
        await history.screen(history.written(version, CALL))
    history.minutes += 24 * 60
    await history.screen(history.written(6, CALL))
    rows = await history.rows("SELECT version FROM help_offers ORDER BY day")
    assert [row.version for row in rows] == [1, 6]


async def test_history_that_is_brought_in_offers_no_help(history: ContentScenario) -> None:
    await history.screen(history.written(1, CALL, Origin.IMPORT))
    assert await history.rows("SELECT 1 FROM help_offers") == []
    assert await history.open_cases() == []


async def test_the_services_role_cannot_rewrite_what_was_decided(history: ContentScenario) -> None:
    await history.screen(history.written(1, HIDE))
    for statement in ("UPDATE decisions SET action = 'keep'", "DELETE FROM decisions"):
        with pytest.raises(Exception, match="permission denied"):
            await history.rows(statement)
