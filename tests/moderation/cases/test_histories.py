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
async def scenario(postgres_addresses: StackAddresses) -> AsyncIterator[ContentScenario]:
    async with open_scenario(postgres_addresses) as opened_scenario:
        yield opened_scenario


async def _read_case_file(scenario: ContentScenario) -> CaseFile:
    (case,) = await scenario.rows("SELECT case_id FROM cases ORDER BY opened_at DESC LIMIT 1")
    return await read_case(
        scenario.cases, scenario.caller, scenario.moderator(), CaseId(case.case_id)
    )


async def test_corrected_text_is_shown_if_only_a_rule_hid_it(scenario: ContentScenario) -> None:
    await scenario.screen(scenario.written(1, HIDE))
    await scenario.screen(scenario.written(2, PASS))
    assert await scenario.decisions() == [RULE_HIDES, RULE_SHOWS]
    assert await scenario.open_cases() == ["rule"], "a person still looks at what was said"


async def test_versions_of_one_batch_are_screened_in_order(scenario: ContentScenario) -> None:
    await scenario.screen(scenario.written(1, HIDE), scenario.written(2, PASS))
    assert await scenario.decisions() == [RULE_HIDES, RULE_SHOWS]
    case_file = await _read_case_file(scenario)
    assert [evidence.text for evidence in case_file.evidence] == [HIDE.masked, PASS.masked]


async def test_a_corrected_text_that_is_doubtful_stays_hidden(scenario: ContentScenario) -> None:
    await scenario.screen(scenario.written(1, HIDE))
    await scenario.screen(scenario.written(2, REVIEW))
    assert await scenario.decisions() == [RULE_HIDES, ("hide", "rule", 2)]


async def test_visible_text_that_becomes_doubtful_is_not_hidden(scenario: ContentScenario) -> None:
    await scenario.screen(scenario.written(1, PASS))
    await scenario.screen(scenario.written(2, REVIEW))
    assert (await scenario.decisions(), await scenario.open_cases()) == ([], ["rule"])


@pytest.mark.parametrize("second", [PASS, REVIEW, HIDE])
async def test_only_a_person_shows_content_that_a_person_hid(
    scenario: ContentScenario, second: ScreeningResult
) -> None:
    await scenario.screen(scenario.written(1, HIDE))
    await scenario.decide(1, Action.HIDE)
    await scenario.screen(scenario.written(2, second))
    assert await scenario.decisions() == [RULE_HIDES, ("hide", "member", 1)]
    assert len(await scenario.open_cases()) == 1
    await scenario.decide(2, Action.KEEP)
    await scenario.screen(scenario.written(3, PASS))
    assert (await scenario.decisions())[-1] == ("keep", "rule", 3)


async def test_edits_of_visible_content_need_no_decision(
    scenario: ContentScenario,
) -> None:
    for version in range(1, 4):
        await scenario.screen(scenario.written(version, PASS))
    assert (await scenario.decisions(), await scenario.open_cases()) == ([], [])


async def test_keep_is_decided_again_for_a_concurrent_edit(
    scenario: ContentScenario,
) -> None:
    """Community keeps the edited text hidden: the `keep` names the version before it."""
    await scenario.screen(scenario.written(1, HIDE))
    await scenario.decide(1, Action.KEEP)
    await scenario.screen(scenario.written(2, PASS))
    assert (await scenario.decisions())[-1] == ("keep", "rule", 2)


async def test_neither_edit_nor_removal_closes_a_case(scenario: ContentScenario) -> None:
    await scenario.screen(scenario.written(1, PASS))
    await scenario.flag(INES)
    await scenario.screen(scenario.written(2, PASS))
    await scenario.remove()
    await scenario.flag(OMAR)
    case_file = await _read_case_file(scenario)
    assert (case_file.case.state, case_file.case.flags, case_file.text) == ("open", 2, None)
    assert case_file.removed_at is not None
    assert [(e.what, e.version) for e in case_file.timeline] == [
        ("flag", 1),
        ("edited", 2),
        ("removed_by_author", 1),
        ("flag", 1),
    ]
    assert case_file.evidence[0].text == PASS.masked
    await scenario.decide(2, Action.HIDE)
    assert await scenario.decisions() == [("hide", "member", 2)]


async def test_two_flags_of_one_person_count_once(scenario: ContentScenario) -> None:
    await scenario.screen(scenario.written(1, PASS))
    await scenario.screen(scenario.written(2, PASS))
    await scenario.flag(INES, 1, "insult")
    await scenario.flag(INES, 2, "violence")
    case_file = await _read_case_file(scenario)
    assert (case_file.case.flags, case_file.case.severity) == (1, 4)
    assert [(f.version, f.reason) for f in case_file.flags] == [(1, "insult"), (2, "violence")]


async def test_a_decision_on_an_older_version_is_refused(scenario: ContentScenario) -> None:
    await scenario.screen(scenario.written(1, PASS))
    await scenario.flag(INES)
    await scenario.screen(scenario.written(2, HIDE))
    for version in (1, 3):
        with pytest.raises(ContentChanged) as refused:
            await scenario.decide(version, Action.KEEP)
        assert refused.value.facts["version"] == 2
    assert await scenario.decisions() == [("hide", "rule", 2)]


async def test_decision_waits_for_an_edit_being_screened(
    scenario: ContentScenario,
) -> None:
    await scenario.screen(scenario.written(1, PASS))
    await scenario.flag(INES)
    async with scenario.batch() as unit:
        await screen_content(scenario.screening, unit, [scenario.written(2, HIDE)])
        decision = asyncio.create_task(scenario.decide(1, Action.KEEP))
        await asyncio.sleep(0.2)
        assert not decision.done()
    with pytest.raises(ContentChanged):
        await decision


async def test_a_decided_case_is_not_decided_again(scenario: ContentScenario) -> None:
    await scenario.screen(scenario.written(1, HIDE))
    (case,) = await scenario.rows("SELECT case_id FROM cases")
    await scenario.decide(1, Action.KEEP)
    command = Decide(CaseId(case.case_id), 1, Action.REMOVE, "insult", "insult.direct")
    with pytest.raises(CaseIsClosed):
        await decide_case(scenario.cases, scenario.caller, scenario.moderator(), command)


async def test_help_is_offered_once_a_day_for_many_edits(
    scenario: ContentScenario,
) -> None:
    for version in range(1, 6):
        await scenario.screen(scenario.written(version, CALL))
    scenario.minutes += 24 * 60
    await scenario.screen(scenario.written(6, CALL))
    rows = await scenario.rows("SELECT version FROM help_offers ORDER BY day")
    assert [row.version for row in rows] == [1, 6]


async def test_imported_history_offers_no_help(scenario: ContentScenario) -> None:
    await scenario.screen(scenario.written(1, CALL, Origin.IMPORT))
    assert await scenario.rows("SELECT 1 FROM help_offers") == []
    assert await scenario.open_cases() == []


async def test_service_role_cannot_change_decisions(scenario: ContentScenario) -> None:
    await scenario.screen(scenario.written(1, HIDE))
    for statement in ("UPDATE decisions SET action = 'keep'", "DELETE FROM decisions"):
        with pytest.raises(Exception, match="permission denied"):
            await scenario.rows(statement)
