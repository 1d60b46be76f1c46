"""Appeals on PostgreSQL: one per statement, decided by another moderator."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from deploy.local.stack import StackAddresses
from services.moderation.appeals.domain import (
    AlreadyAppealed,
    AppealNotFound,
    AppealTooLate,
    StatementNotFound,
)
from services.moderation.appeals.handlers.contest import (
    contest_statement,
    list_statements,
    read_statement,
)
from services.moderation.appeals.handlers.judge import (
    DecideAppeal,
    decide_appeal,
    list_appeals,
    read_appeal,
)
from shared.contracts.example_data import ACADEMY, ZOE
from shared.contracts.identity import Role
from shared.contracts.ids import AppealId, StatementId
from shared.contracts.moderation import Action, Outcome, Verdict
from shared.kit.core.errors import Forbidden
from shared.kit.core.policy import Actor, Grant
from tests.moderation.content_scenario import (
    ANNE,
    INES,
    OMAR,
    ContentScenario,
    a_screening_result,
    open_scenario,
)

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
HIDE = a_screening_result(Verdict.HIDE, "Une insulte " + "très longue " * 40)
PASS = a_screening_result(Verdict.PASS, "Bonjour.")
DECIDE = "UPDATE appeals SET outcome = 'upheld', decided_by = :who, decided_at = now()"


@pytest.fixture
async def scenario(postgres_addresses: StackAddresses) -> AsyncIterator[ContentScenario]:
    async with open_scenario(postgres_addresses) as opened_scenario:
        await opened_scenario.screen(opened_scenario.written(1, HIDE))
        yield opened_scenario


async def _statement(scenario: ContentScenario) -> StatementId:
    (row, *_) = await scenario.rows("SELECT statement_id FROM statements ORDER BY issued_at DESC")
    return StatementId(row.statement_id)


async def _contest(scenario: ContentScenario) -> AppealId:
    statement = await _statement(scenario)
    appeal = await contest_statement(
        scenario.appeals, scenario.caller, scenario.author(), statement, "Je citais Molière."
    )
    return appeal.appeal_id


async def test_a_statement_is_contested_once(scenario: ContentScenario) -> None:
    await _contest(scenario)
    with pytest.raises(AlreadyAppealed):
        await _contest(scenario)


async def test_two_appeals_at_once_are_one(scenario: ContentScenario) -> None:
    outcomes = await asyncio.gather(*(_contest(scenario) for _ in "1234"), return_exceptions=True)
    assert sum(isinstance(outcome, AlreadyAppealed) for outcome in outcomes) == 3
    (row,) = await scenario.rows("SELECT count(*) AS n FROM appeals")
    assert row.n == 1


async def test_only_the_author_reads_and_contests_a_statement(scenario: ContentScenario) -> None:
    statement = await _statement(scenario)
    for actor in (scenario.moderator(), Actor(scenario.tenant, INES)):
        with pytest.raises(StatementNotFound):
            await read_statement(scenario.appeals, scenario.caller, actor, statement)
        with pytest.raises(StatementNotFound):
            await contest_statement(scenario.appeals, scenario.caller, actor, statement, "Non.")


async def test_a_statement_shows_how_the_judged_text_began(scenario: ContentScenario) -> None:
    await scenario.screen(scenario.written(2, PASS))
    reasons = await list_statements(scenario.appeals, scenario.caller, scenario.author(), None, 9)
    assert len(reasons) == 1, "showing a corrected text restricts nothing"
    excerpt = reasons[0].excerpt
    assert excerpt is not None
    assert excerpt.startswith("Une insulte très longue")
    assert excerpt.endswith("…")
    assert len(excerpt) <= 300
    assert reasons[0].written_at is not None


async def test_an_appeal_after_six_months_comes_too_late(scenario: ContentScenario) -> None:
    statement = await _statement(scenario)
    # Unlike decisions, statements can be updated: the test ages one.
    await scenario.rows("UPDATE statements SET issued_at = now() - interval '184 days'")
    with pytest.raises(AppealTooLate):
        await contest_statement(
            scenario.appeals, scenario.caller, scenario.author(), statement, "Enfin."
        )


async def test_the_first_moderator_does_not_decide(scenario: ContentScenario) -> None:
    await scenario.decide(1, Action.HIDE)
    appeal = await _contest(scenario)
    command = DecideAppeal(appeal, Outcome.UPHELD, "Relu.")
    assert (
        await list_appeals(scenario.appeals, scenario.caller, scenario.moderator(), None, 9)
    ) == (
        [],
        None,
    )
    with pytest.raises(Forbidden):
        await decide_appeal(scenario.appeals, scenario.caller, scenario.moderator(), command)
    other = scenario.moderator(ANNE)
    listed, _ = await list_appeals(scenario.appeals, scenario.caller, other, None, 9)
    assert [appeal_row.appeal_id for appeal_row in listed] == [appeal]
    decided = await decide_appeal(scenario.appeals, scenario.caller, other, command)
    assert (decided.decided_by, decided.outcome) == (ANNE, Outcome.UPHELD)


async def test_the_database_refuses_the_first_moderator(scenario: ContentScenario) -> None:
    """Direct SQL with the service's role."""
    await scenario.decide(1, Action.HIDE)
    await _contest(scenario)
    with pytest.raises(IntegrityError, match="someone else"):
        await scenario.rows(DECIDE, who=OMAR)
    with pytest.raises(IntegrityError, match="first moderator"):
        await scenario.rows("UPDATE appeals SET first_moderator = NULL")
    with pytest.raises(IntegrityError, match="not_by_its_author"):
        await scenario.rows(DECIDE, who=ZOE)
    await scenario.rows(DECIDE, who=ANNE)
    with pytest.raises(IntegrityError, match="stays what it is"):
        await scenario.rows("UPDATE appeals SET outcome = 'overturned'")


async def test_database_refuses_appeal_without_first_moderator(
    scenario: ContentScenario,
) -> None:
    await scenario.decide(1, Action.HIDE)
    (row,) = await scenario.rows("SELECT decision_id FROM decisions WHERE decided_by = 'member'")
    with pytest.raises(IntegrityError, match="first moderator"):
        await scenario.rows(
            "INSERT INTO appeals (tenant_id, appeal_id, statement_id, decision_id, appellant,"
            " subject, sealed, received_at) VALUES (:tenant, :id, :id, :decision, :who, '{}', '',"
            " now())",
            tenant=scenario.tenant,
            id=uuid7(),
            decision=row.decision_id,
            who=ZOE,
        )


async def test_any_moderator_decides_appeal_against_a_rule(scenario: ContentScenario) -> None:
    appeal = await _contest(scenario)
    command = DecideAppeal(appeal, Outcome.OVERTURNED, "C’était une citation.")
    await decide_appeal(scenario.appeals, scenario.caller, scenario.moderator(), command)
    (row,) = await scenario.rows("SELECT count(*) AS n FROM reversals")
    assert row.n == 1
    await scenario.screen(scenario.written(2, PASS))
    assert (await scenario.decisions())[-1] == ("keep", "rule", 2), "in case the edit came first"


async def test_reversal_shows_later_version_that_passed(scenario: ContentScenario) -> None:
    await scenario.decide(1, Action.HIDE)
    await scenario.screen(scenario.written(2, PASS))
    appeal = await _contest(scenario)
    command = DecideAppeal(appeal, Outcome.OVERTURNED, "Soit.")
    await decide_appeal(scenario.appeals, scenario.caller, scenario.moderator(ANNE), command)
    assert (await scenario.decisions())[-1] == ("keep", "rule", 2)


async def test_appeal_is_not_found_for_other_structures_moderators(
    scenario: ContentScenario,
) -> None:
    appeal = await _contest(scenario)
    elsewhere = Actor(scenario.tenant, ANNE, grants=(Grant(Role.MODERATOR, ACADEMY),))
    author = replace(scenario.author(), grants=scenario.moderator().grants)
    for actor in (elsewhere, author, Actor(scenario.tenant, INES)):
        with pytest.raises(AppealNotFound):
            await read_appeal(scenario.appeals, scenario.caller, actor, appeal)


async def test_the_text_of_an_appeal_is_sealed(scenario: ContentScenario) -> None:
    appeal = await _contest(scenario)
    (row,) = await scenario.rows("SELECT appeals::text AS row FROM appeals")
    assert "Molière" not in row.row
    file = await read_appeal(scenario.appeals, scenario.caller, scenario.moderator(), appeal)
    assert file.words == "Je citais Molière."
    assert file.appeal.received_at - file.statement.issued_at < timedelta(days=1)
