"""Open or join a case, and carry a decision through: what reactions and commands share."""

from services.moderation.cases.domain import (
    DEADLINES,
    Case,
    Decision,
    Subject,
    statement_of,
)
from services.moderation.cases.ports import CasesDeps
from shared.contracts.ids import CaseId, StatementId, TenantId
from shared.kit.unit import Because, Unit


async def open_or_join(  # noqa: PLR0913  the parts of a case
    deps: CasesDeps,
    unit: Unit,
    because: Because,
    subject: Subject,
    cause: str,
    severity: int,
    *,
    flags: int = 0,
) -> Case:
    """Open the content's case, or join the one that is open."""
    tenant: TenantId = because.tenant
    case = await deps.cases.open_on(unit, tenant, subject.content_id)
    if case is not None:
        case = case.merge(cause, severity, flags)
        await deps.cases.put(unit, case)
        return case
    case = Case(
        tenant_id=tenant,
        case_id=CaseId(deps.new_id()),
        subject=subject,
        because=cause,
        severity=severity,
        opened_at=unit.now,
        due_at=unit.now + DEADLINES[severity],
        flags=flags,
    )
    await deps.cases.put(unit, case)
    unit.record(case.opened(), because=because)
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
