"""What moderators do: look at the queue, take a case in hand, decide it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.moderation.cases.domain import (
    Case,
    CaseIsClosed,
    CaseNotFound,
    Decision,
    Statement,
    StatementNotFound,
    Urgency,
)
from services.moderation.cases.handlers.record import carry_out
from services.moderation.cases.policy import MODERATORS, may_decide
from services.moderation.cases.ports import CasesDeps
from shared.contracts.ids import CaseId, DecisionId, StatementId, StructureId
from shared.contracts.moderation import Action, DecidedBy
from shared.kit.pages import page_of
from shared.kit.policy import Actor, demand
from shared.kit.unit import Caller, Unit


@dataclass(frozen=True)
class Decide:
    """Decide a case: what happens to the content, under which policy, for which reason."""

    case_id: CaseId
    action: Action
    policy: str
    reason: str


async def list_queue(
    deps: CasesDeps, caller: Caller, actor: Actor, after: Urgency | None, limit: int
) -> tuple[list[Case], Urgency | None]:
    """List some open cases of this moderator's, the most urgent first, and where to go on."""
    if not actor.holds_anywhere(*MODERATORS):
        return [], None
    lines: dict[StructureId, tuple[StructureId, ...]] = {}
    async with deps.unit(caller) as unit:

        async def read(place: Urgency | None, rows: int) -> Sequence[Case]:
            return await deps.cases.queue(unit, caller.tenant, place, rows)

        async def keep(cases: Sequence[Case]) -> Sequence[Case]:
            for where in {case.subject.structure_id for case in cases} - lines.keys():
                lines[where] = await deps.cases.line(unit, caller.tenant, where)
            return [
                e for e in cases if actor.holds(MODERATORS, within=lines[e.subject.structure_id])
            ]

        return await page_of(read, keep, lambda case: case.urgency, after, limit)


async def read_case(
    deps: CasesDeps, caller: Caller, actor: Actor, case_id: CaseId
) -> tuple[Case, str | None]:
    """Read a case and its masked text. Raises `CaseNotFound` and `Forbidden`."""
    async with deps.unit(caller) as unit:
        case = await _decidable(deps, unit, actor, case_id)
        return case, await deps.texts.read(unit, caller.tenant, case.subject.content_id)


async def claim_case(deps: CasesDeps, caller: Caller, actor: Actor, case_id: CaseId) -> Case:
    """Take a case in hand. Raises `CaseNotFound`, `CaseIsTaken`, `CaseIsClosed`, `Forbidden`."""
    async with deps.unit(caller) as unit:
        case = await _decidable(deps, unit, actor, case_id)
        claimed, fact = case.claim(actor.member_id, unit.now)
        await deps.cases.put(unit, claimed)
        unit.record(fact)
        return claimed


async def decide_case(deps: CasesDeps, caller: Caller, actor: Actor, command: Decide) -> Decision:
    """Decide a case and close it. Raises `CaseNotFound`, `CaseIsClosed`, `Forbidden`."""
    async with deps.unit(caller) as unit:
        case = await _decidable(deps, unit, actor, command.case_id)
        if case.state != "open":
            raise CaseIsClosed(case_id=case.case_id)
        claimed, _ = case.claim(actor.member_id, unit.now)
        decision = Decision(
            decision_id=DecisionId(deps.new_id()),
            action=command.action,
            policy=command.policy,
            reason=command.reason,
            decided_by=DecidedBy.MEMBER,
            moderator_id=actor.member_id,
            case_id=case.case_id,
        )
        await carry_out(deps, unit, caller, decision, case.subject)
        await deps.cases.put(unit, replace(claimed, state="closed"))
        unit.record(case.closed(command.action.value))
        return decision


async def read_statement(
    deps: CasesDeps, caller: Caller, actor: Actor, statement_id: StatementId
) -> Statement:
    """Read a statement that is addressed to oneself. Raises `StatementNotFound`."""
    async with deps.unit(caller) as unit:
        found = await deps.decisions.statement(unit, caller.tenant, statement_id)
    if found is None or found.recipient != actor.member_id:
        raise StatementNotFound(statement_id=statement_id)
    return found


async def _decidable(deps: CasesDeps, unit: Unit, actor: Actor, case_id: CaseId) -> Case:
    case = await deps.cases.find(unit, actor.tenant, case_id)
    if case is None:
        raise CaseNotFound(case_id=case_id)
    line = await deps.cases.line(unit, actor.tenant, case.subject.structure_id)
    demand(may_decide(actor, case, line))
    return case
