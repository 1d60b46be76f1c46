"""Commands and queries of moderators: list the queue, read, claim and decide a case."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.moderation.cases.domain import (
    MODERATORS,
    Case,
    CaseEntry,
    CaseFile,
    CaseIsClosed,
    CaseNotFound,
    CaseQueueKey,
    ContentChanged,
    Decision,
)
from services.moderation.cases.handlers.record import record_decision
from services.moderation.cases.policy import may_decide
from services.moderation.cases.ports import CasesDeps
from shared.contracts.ids import CaseId, DecisionId, StructureId
from shared.contracts.moderation import Action, DecidedBy
from shared.kit.core.pagination import read_visible_page
from shared.kit.core.policy import Actor, Allowed, Denied
from shared.kit.core.unit_of_work import Caller, Unit


@dataclass(frozen=True)
class Decide:
    """Decide a case: the action on the content, the version that was judged, and the reason."""

    case_id: CaseId
    version: int
    action: Action
    policy: str
    reason: str


async def list_queue(
    deps: CasesDeps, caller: Caller, actor: Actor, after: CaseQueueKey | None, limit: int
) -> tuple[list[Case], CaseQueueKey | None]:
    """List open cases that this moderator may decide, the most urgent first, and the next key."""
    if not actor.holds_anywhere(*MODERATORS):
        return [], None
    ancestries: dict[StructureId, tuple[StructureId, ...]] = {}
    async with deps.unit(caller) as unit:

        async def read(key: CaseQueueKey | None, rows: int) -> Sequence[Case]:
            return await deps.cases.list_open(unit, caller.tenant, key, rows)

        async def keep(cases: Sequence[Case]) -> Sequence[Case]:
            for structure in {case.subject.structure_id for case in cases} - ancestries.keys():
                ancestries[structure] = await deps.cases.ancestry(unit, caller.tenant, structure)
            return [
                case
                for case in cases
                if isinstance(
                    may_decide(actor, case, ancestries[case.subject.structure_id]), Allowed
                )
            ]

        return await read_visible_page(read, keep, lambda case: case.queue_key, after, limit)


async def read_case(deps: CasesDeps, caller: Caller, actor: Actor, case_id: CaseId) -> CaseFile:
    """Return a case file with the texts as they were. Raises `CaseNotFound`."""
    async with deps.unit(caller) as unit:
        case = await _find_decidable(deps, unit, actor, case_id)
        content = case.subject.content_id
        return CaseFile(
            case,
            await deps.texts.list_versions(unit, caller.tenant, content),
            await deps.histories.list_flags(unit, case),
            await deps.histories.list_entries(unit, case),
            await deps.removals.find_removal_time(unit, caller.tenant, content),
        )


async def claim_case(deps: CasesDeps, caller: Caller, actor: Actor, case_id: CaseId) -> Case:
    """Claim a case. Raises `CaseNotFound`, `CaseIsClaimed`, `CaseIsClosed`."""
    async with deps.unit(caller) as unit:
        case = await _find_decidable(deps, unit, actor, case_id)
        claimed, fact = case.claim(actor.member_id, unit.now)
        await deps.cases.save(unit, claimed)
        await deps.histories.add_entry(unit, case, CaseEntry("claimed", unit.now))
        unit.record(fact)
        return claimed


async def decide_case(deps: CasesDeps, caller: Caller, actor: Actor, command: Decide) -> Decision:
    """Decide a case and close it, even if its content was removed.

    Raises `CaseNotFound`, `CaseIsClosed`, `CaseIsClaimed`, and `ContentChanged` when the content
    has a later version than the one that was judged.
    """
    async with deps.unit(caller) as unit:
        case = await _find_decidable(deps, unit, actor, command.case_id)
        if case.state != "open":
            raise CaseIsClosed(case_id=case.case_id)
        claimed, _ = case.claim(actor.member_id, unit.now)
        content = case.subject.content_id
        # Waits for an edit that is being screened, and for another decision on the content.
        await deps.decisions.lock_restriction(unit, caller.tenant, content)
        texts = await deps.texts.list_versions(unit, caller.tenant, content)
        latest = CaseFile(case, texts, (), ()).version
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
        await record_decision(deps, unit, caller, decision, replace(case.subject, version=latest))
        await deps.cases.save(unit, replace(claimed, state="closed"))
        await deps.histories.add_entry(
            unit, case, CaseEntry("decided", unit.now, latest, command.action.value)
        )
        unit.record(case.closed(command.action.value))
        return decision


async def _find_decidable(deps: CasesDeps, unit: Unit, actor: Actor, case_id: CaseId) -> Case:
    """Find a case and lock it. Raises `CaseNotFound` also if this actor may not decide it."""
    case = await deps.cases.find_and_lock(unit, actor.tenant, case_id)
    if case is None:
        raise CaseNotFound(case_id=case_id)
    ancestry = await deps.cases.ancestry(unit, actor.tenant, case.subject.structure_id)
    if isinstance(may_decide(actor, case, ancestry), Denied):
        raise CaseNotFound(case_id=case_id)
    return case
