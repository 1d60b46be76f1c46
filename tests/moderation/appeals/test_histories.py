"""Appeals on PostgreSQL: one per statement, decided by someone else."""

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
async def history(postgres_addresses: StackAddresses) -> AsyncIterator[ContentScenario]:
    async with open_scenario(postgres_addresses) as opened:
        await opened.screen(opened.written(1, HIDE))
        yield opened


async def _statement(history: ContentScenario) -> StatementId:
    (row, *_) = await history.rows("SELECT statement_id FROM statements ORDER BY issued_at DESC")
    return StatementId(row.statement_id)


async def _contest(history: ContentScenario) -> AppealId:
    statement = await _statement(history)
    appeal = await contest_statement(
        history.appeals, history.caller, history.author(), statement, "Je citais Molière."
    )
    return appeal.appeal_id


async def test_a_statement_is_contested_once(history: ContentScenario) -> None:
    await _contest(history)
    with pytest.raises(AlreadyAppealed):
        await _contest(history)


async def test_two_appeals_at_once_are_one(history: ContentScenario) -> None:
    outcomes = await asyncio.gather(*(_contest(history) for _ in "1234"), return_exceptions=True)
    assert sum(isinstance(each, AlreadyAppealed) for each in outcomes) == 3
    (row,) = await history.rows("SELECT count(*) AS n FROM appeals")
    assert row.n == 1


async def test_only_the_author_reads_and_contests_a_statement(history: ContentScenario) -> None:
    statement = await _statement(history)
    for actor in (history.moderator(), Actor(history.tenant, INES)):
        with pytest.raises(StatementNotFound):
            await read_statement(history.appeals, history.caller, actor, statement)
        with pytest.raises(StatementNotFound):
            await contest_statement(history.appeals, history.caller, actor, statement, "Non.")


async def test_a_statement_shows_how_the_judged_text_began(history: ContentScenario) -> None:
    await history.screen(history.written(2, PASS))
    reasons = await list_statements(history.appeals, history.caller, history.author(), None, 9)
    assert len(reasons) == 1, "showing a corrected text restricts nothing"
    excerpt = reasons[0].excerpt
    assert excerpt is not None
    assert excerpt.startswith("Une insulte très longue")
    assert excerpt.endswith("…")
    assert len(excerpt) <= 300
    assert reasons[0].written_at is not None


async def test_an_appeal_after_six_months_comes_too_late(history: ContentScenario) -> None:
    statement = await _statement(history)
    # Statements are not protected as decisions are: a test may age one.
    await history.rows("UPDATE statements SET issued_at = now() - interval '184 days'")
    with pytest.raises(AppealTooLate):
        await contest_statement(
            history.appeals, history.caller, history.author(), statement, "Enfin."
        )


async def test_the_first_moderator_does_not_decide(history: ContentScenario) -> None:
    await history.decide(1, Action.HIDE)
    appeal = await _contest(history)
    command = DecideAppeal(appeal, Outcome.UPHELD, "Relu.")
    assert (await list_appeals(history.appeals, history.caller, history.moderator(), None, 9)) == (
        [],
        None,
    )
    with pytest.raises(Forbidden):
        await decide_appeal(history.appeals, history.caller, history.moderator(), command)
    other = history.moderator(ANNE)
    listed, _ = await list_appeals(history.appeals, history.caller, other, None, 9)
    assert [each.appeal_id for each in listed] == [appeal]
    decided = await decide_appeal(history.appeals, history.caller, other, command)
    assert (decided.decided_by, decided.outcome) == (ANNE, Outcome.UPHELD)


async def test_the_database_refuses_the_first_moderator(history: ContentScenario) -> None:
    """Direct SQL, as the service's own role."""
    await history.decide(1, Action.HIDE)
    await _contest(history)
    with pytest.raises(IntegrityError, match="someone else"):
        await history.rows(DECIDE, who=OMAR)
    with pytest.raises(IntegrityError, match="first moderator"):
        await history.rows("UPDATE appeals SET first_moderator = NULL")
    with pytest.raises(IntegrityError, match="not_by_its_author"):
        await history.rows(DECIDE, who=ZOE)
    await history.rows(DECIDE, who=ANNE)
    with pytest.raises(IntegrityError, match="stays what it is"):
        await history.rows("UPDATE appeals SET outcome = 'overturned'")


async def test_the_database_refuses_an_appeal_that_hides_who_decided(
    history: ContentScenario,
) -> None:
    await history.decide(1, Action.HIDE)
    (row,) = await history.rows("SELECT decision_id FROM decisions WHERE decided_by = 'member'")
    with pytest.raises(IntegrityError, match="first moderator"):
        await history.rows(
            "INSERT INTO appeals (tenant_id, appeal_id, statement_id, decision_id, appellant,"
            " subject, sealed, received_at) VALUES (:tenant, :id, :id, :decision, :who, '{}', '',"
            " now())",
            tenant=history.tenant,
            id=uuid7(),
            decision=row.decision_id,
            who=ZOE,
        )


async def test_any_moderator_decides_on_what_a_rule_decided(history: ContentScenario) -> None:
    appeal = await _contest(history)
    command = DecideAppeal(appeal, Outcome.OVERTURNED, "C’était une citation.")
    await decide_appeal(history.appeals, history.caller, history.moderator(), command)
    (row,) = await history.rows("SELECT count(*) AS n FROM reversals")
    assert row.n == 1
    await history.screen(history.written(2, PASS))
    assert (await history.decisions())[-1] == ("keep", "rule", 2), "in case the edit came first"


async def test_a_later_text_that_passed_is_shown_by_a_reversal(history: ContentScenario) -> None:
    await history.decide(1, Action.HIDE)
    await history.screen(history.written(2, PASS))
    appeal = await _contest(history)
    command = DecideAppeal(appeal, Outcome.OVERTURNED, "Soit.")
    await decide_appeal(history.appeals, history.caller, history.moderator(ANNE), command)
    assert (await history.decisions())[-1] == ("keep", "rule", 2)


async def test_an_appeal_is_not_there_for_those_who_do_not_moderate_there(
    history: ContentScenario,
) -> None:
    appeal = await _contest(history)
    elsewhere = Actor(history.tenant, ANNE, grants=(Grant(Role.MODERATOR, ACADEMY),))
    author = replace(history.author(), grants=history.moderator().grants)
    for actor in (elsewhere, author, Actor(history.tenant, INES)):
        with pytest.raises(AppealNotFound):
            await read_appeal(history.appeals, history.caller, actor, appeal)


async def test_the_text_of_an_appeal_is_sealed(history: ContentScenario) -> None:
    appeal = await _contest(history)
    (row,) = await history.rows("SELECT appeals::text AS row FROM appeals")
    assert "Molière" not in row.row
    file = await read_appeal(history.appeals, history.caller, history.moderator(), appeal)
    assert file.words == "Je citais Molière."
    assert file.appeal.received_at - file.statement.issued_at < timedelta(days=1)
