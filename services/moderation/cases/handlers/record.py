"""Open or join a case, and carry a decision through: what reactions and commands share."""

from services.moderation.cases.domain import (
    DEADLINE_BY_SEVERITY,
    Case,
    CaseEntry,
    CaseReason,
    Decision,
    Subject,
    issue_statement,
)
from services.moderation.cases.ports import CasesDeps
from shared.contracts.ids import CaseId, StatementId, TenantId
from shared.kit.core.unit_of_work import EventCause, Unit


async def open_or_update_case(
    deps: CasesDeps, unit: Unit, caused_by: EventCause, subject: Subject, reason: CaseReason
) -> Case:
    """Open the content's case, or join the one that is open, and keep the reason beside it."""
    tenant: TenantId = caused_by.tenant
    case = await deps.cases.find_open_and_lock(unit, tenant, subject.content_id)
    if case is None:
        case = Case(
            tenant_id=tenant,
            case_id=CaseId(deps.new_id()),
            subject=subject,
            because=reason.kind,
            severity=reason.severity,
            opened_at=unit.now,
            due_at=unit.now + DEADLINE_BY_SEVERITY[reason.severity],
        )
        unit.record(case.opened(), caused_by=caused_by)
    people = 0
    if reason.flag is not None:
        people = int(await deps.histories.add_flag(unit, case, reason.flag))
    else:
        await deps.histories.add_entry(
            unit, case, CaseEntry(reason.kind, reason.at, subject.version)
        )
    case = case.add_reason(reason.kind, reason.severity, people)
    await deps.cases.save(unit, case)
    return case


async def record_decision(
    deps: CasesDeps, unit: Unit, caused_by: EventCause, decision: Decision, subject: Subject
) -> None:
    """Keep a decision, tell it, and tell its author why."""
    tenant: TenantId = caused_by.tenant
    await deps.decisions.add(unit, tenant, decision, subject)
    unit.record(decision.made(subject), caused_by=caused_by)
    owed = issue_statement(StatementId(deps.new_id()), decision, subject, unit.now)
    if owed is not None:
        statement, fact = owed
        await deps.decisions.add_statement(unit, tenant, statement)
        unit.record(fact, caused_by=caused_by)
