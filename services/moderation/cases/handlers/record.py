"""Open or join a case, and carry a decision through: what reactions and commands share."""

from services.moderation.cases.domain import (
    DEADLINES,
    Case,
    Cause,
    Decision,
    Entry,
    Subject,
    statement_of,
)
from services.moderation.cases.ports import CasesDeps
from shared.contracts.ids import CaseId, StatementId, TenantId
from shared.kit.core.unit_of_work import Because, Unit


async def open_or_join(
    deps: CasesDeps, unit: Unit, because: Because, subject: Subject, cause: Cause
) -> Case:
    """Open the content's case, or join the one that is open, and keep the reason beside it."""
    tenant: TenantId = because.tenant
    case = await deps.cases.open_on(unit, tenant, subject.content_id)
    if case is None:
        case = Case(
            tenant_id=tenant,
            case_id=CaseId(deps.new_id()),
            subject=subject,
            because=cause.kind,
            severity=cause.severity,
            opened_at=unit.now,
            due_at=unit.now + DEADLINES[cause.severity],
        )
        unit.record(case.opened(), because=because)
    people = 0
    if cause.flag is not None:
        people = int(await deps.records.add_flag(unit, case, cause.flag))
    else:
        await deps.records.add_entry(unit, case, Entry(cause.kind, cause.at, subject.version))
    case = case.merge(cause.kind, cause.severity, people)
    await deps.cases.put(unit, case)
    return case


async def carry_out(
    deps: CasesDeps, unit: Unit, because: Because, decision: Decision, subject: Subject
) -> None:
    """Keep a decision, tell it, and tell its author why."""
    tenant: TenantId = because.tenant
    await deps.decisions.keep(unit, tenant, decision, subject)
    unit.record(decision.made(subject), because=because)
    owed = statement_of(StatementId(deps.new_id()), decision, subject, unit.now)
    if owed is not None:
        statement, fact = owed
        await deps.decisions.issue(unit, tenant, statement)
        unit.record(fact, because=because)
