"""Open or update a case, and record a decision: shared by reactions and commands."""

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
    """Open the content's case, or add the reason to the open one, and store the reason with it."""
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
    new_flaggers = 0
    if reason.flag is not None:
        new_flaggers = int(await deps.histories.add_flag(unit, case, reason.flag))
    else:
        await deps.histories.add_entry(
            unit, case, CaseEntry(reason.kind, reason.at, subject.version)
        )
    case = case.add_reason(reason.kind, reason.severity, new_flaggers)
    await deps.cases.save(unit, case)
    return case


async def record_decision(
    deps: CasesDeps, unit: Unit, caused_by: EventCause, decision: Decision, subject: Subject
) -> None:
    """Store a decision and its event, and the statement of reasons for the author."""
    tenant: TenantId = caused_by.tenant
    await deps.decisions.add(unit, tenant, decision, subject)
    unit.record(decision.made(subject), caused_by=caused_by)
    issued = issue_statement(StatementId(deps.new_id()), decision, subject, unit.now)
    if issued is not None:
        statement, fact = issued
        await deps.decisions.add_statement(unit, tenant, statement)
        unit.record(fact, caused_by=caused_by)
