"""What moderators do: look at the queue, take a case in hand, decide it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.moderation.cases.domain import (
    MODERATORS,
    Case,
    CaseIsClosed,
    CaseNotFound,
    ContentChanged,
    Decision,
    Dossier,
    Entry,
    Urgency,
)
from services.moderation.cases.handlers.record import carry_out
from services.moderation.cases.policy import may_decide
from services.moderation.cases.ports import CasesDeps
from shared.contracts.ids import CaseId, DecisionId, StructureId
from shared.contracts.moderation import Action, DecidedBy
from shared.kit.core.pagination import page_of
from shared.kit.core.policy import Actor, Allowed, Denied
from shared.kit.core.unit_of_work import Caller, Unit


@dataclass(frozen=True)
class Decide:
    """Decide a case: what happens to the content, judged at a version, and why."""

    case_id: CaseId
    version: int
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
                case
                for case in cases
                if isinstance(may_decide(actor, case, lines[case.subject.structure_id]), Allowed)
            ]

        return await page_of(read, keep, lambda case: case.urgency, after, limit)


async def read_case(deps: CasesDeps, caller: Caller, actor: Actor, case_id: CaseId) -> Dossier:
    """Read a case with the texts as they were. Raises `CaseNotFound`."""
    async with deps.unit(caller) as unit:
        case = await _decidable(deps, unit, actor, case_id)
        content = case.subject.content_id
        return Dossier(
            case,
            await deps.texts.versions(unit, caller.tenant, content),
            await deps.records.flags(unit, case),
            await deps.records.entries(unit, case),
            await deps.removals.removed_at(unit, caller.tenant, content),
        )


async def claim_case(deps: CasesDeps, caller: Caller, actor: Actor, case_id: CaseId) -> Case:
    """Take a case in hand. Raises `CaseNotFound`, `CaseIsTaken`, `CaseIsClosed`."""
    async with deps.unit(caller) as unit:
        case = await _decidable(deps, unit, actor, case_id)
        claimed, fact = case.claim(actor.member_id, unit.now)
        await deps.cases.put(unit, claimed)
        await deps.records.add_entry(unit, case, Entry("claimed", unit.now))
        unit.record(fact)
        return claimed


async def decide_case(deps: CasesDeps, caller: Caller, actor: Actor, command: Decide) -> Decision:
    """Decide a case and close it, whether or not its content still stands.

    Raises `CaseNotFound`, `CaseIsClosed`, `CaseIsTaken`, and `ContentChanged` when the content has
    a later version than the one that was judged.
    """
    async with deps.unit(caller) as unit:
        case = await _decidable(deps, unit, actor, command.case_id)
        if case.state != "open":
            raise CaseIsClosed(case_id=case.case_id)
        claimed, _ = case.claim(actor.member_id, unit.now)
        content = case.subject.content_id
        # Waits for an edit that is being screened, and for another decision.
        await deps.decisions.in_force(unit, caller.tenant, content)
        texts = await deps.texts.versions(unit, caller.tenant, content)
        latest = Dossier(case, texts, (), ()).version
        if command.version != latest:
            raise ContentChanged(case_id=case.case_id, version=latest)
        decision = Decision(
            decision_id=DecisionId(deps.new_id()),
            action=command.action,
            policy=command.policy,
            reason=command.reason,
            decided_by=DecidedBy.MEMBER,
            moderator_id=actor.member_id,
            case_id=case.case_id,
        )
        await carry_out(deps, unit, caller, decision, replace(case.subject, version=latest))
        await deps.cases.put(unit, replace(claimed, state="closed"))
        await deps.records.add_entry(
            unit, case, Entry("decided", unit.now, latest, command.action.value)
        )
        unit.record(case.closed(command.action.value))
        return decision


async def _decidable(deps: CasesDeps, unit: Unit, actor: Actor, case_id: CaseId) -> Case:
    """Find a case; one that this actor may not decide is not there for them."""
    case = await deps.cases.find(unit, actor.tenant, case_id)
    if case is None:
        raise CaseNotFound(case_id=case_id)
    line = await deps.cases.line(unit, actor.tenant, case.subject.structure_id)
    if isinstance(may_decide(actor, case, line), Denied):
        raise CaseNotFound(case_id=case_id)
    return case
