"""Commands and queries of authors: read their statements, and contest one."""

from collections.abc import Sequence

from services.moderation.appeals.domain import (
    AlreadyAppealed,
    Appeal,
    StatementNotFound,
    StatementView,
    check_appeal_period,
    excerpt_of,
)
from services.moderation.appeals.policy import may_contest
from services.moderation.appeals.ports import AppealsDeps
from services.moderation.cases.domain import Statement
from shared.contracts.ids import AppealId, DecisionId, StatementId
from shared.kit.core.policy import Actor, Denied
from shared.kit.core.unit_of_work import Caller, Unit


async def read_statement(
    deps: AppealsDeps, caller: Caller, actor: Actor, statement_id: StatementId
) -> StatementView:
    """Return a statement addressed to the actor. Raises `StatementNotFound`."""
    async with deps.cases.unit(caller) as unit:
        statement = await _find_own_statement(deps, unit, actor, statement_id)
        appeals = await deps.appeals.find_by_statements(unit, caller.tenant, [statement_id])
        return await _statement_view(deps, unit, actor, statement, appeals.get(statement_id))


async def list_statements(
    deps: AppealsDeps, caller: Caller, actor: Actor, before: StatementId | None, limit: int
) -> Sequence[StatementView]:
    """List the actor's statements, newest first."""
    async with deps.cases.unit(caller) as unit:
        statements = await deps.statements.list_for(
            unit, caller.tenant, actor.member_id, before, limit
        )
        ids = [statement.statement_id for statement in statements]
        appeals = await deps.appeals.find_by_statements(unit, caller.tenant, ids)
        return [
            await _statement_view(deps, unit, actor, statement, appeals.get(statement.statement_id))
            for statement in statements
        ]


async def contest_statement(
    deps: AppealsDeps, caller: Caller, actor: Actor, statement_id: StatementId, text: str
) -> Appeal:
    """Contest a decision, once and within six months.

    Raises `StatementNotFound`, `AppealTooLate`, `AlreadyAppealed`.
    """
    async with deps.cases.unit(caller) as unit:
        statement = await _find_own_statement(deps, unit, actor, statement_id)
        check_appeal_period(statement, unit.now)
        appeal = Appeal(
            tenant_id=caller.tenant,
            appeal_id=AppealId(deps.cases.new_id()),
            statement_id=statement_id,
            decision_id=DecisionId(statement.decision_id),
            appellant=actor.member_id,
            subject=statement.subject,
            received_at=unit.now,
            first_moderator=await deps.statements.find_moderator(unit, caller.tenant, statement),
        )
        if not await deps.appeals.add(unit, appeal, text):
            raise AlreadyAppealed(statement_id=statement_id)
        unit.record(appeal.received())
        return appeal


async def _find_own_statement(
    deps: AppealsDeps, unit: Unit, actor: Actor, statement_id: StatementId
) -> Statement:
    statement = await deps.statements.find(unit, actor.tenant, statement_id)
    if statement is None or isinstance(may_contest(actor, statement), Denied):
        raise StatementNotFound(statement_id=statement_id)
    return statement


async def _statement_view(
    deps: AppealsDeps, unit: Unit, actor: Actor, statement: Statement, appeal: Appeal | None
) -> StatementView:
    subject = statement.subject
    texts = await deps.cases.texts.list_versions(unit, actor.tenant, subject.content_id)
    text = next((text for text in texts if text.version == subject.version), None)
    return StatementView(
        statement,
        text.written_at if text else None,
        excerpt_of(text.text) if text else None,
        appeal,
    )
