"""What moderators do with appeals: list them, read one, decide it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.moderation.appeals.domain import Appeal, AppealNotFound
from services.moderation.appeals.policy import may_decide_appeal, may_read_appeal
from services.moderation.appeals.ports import AppealQueueKey, AppealsDeps
from services.moderation.cases.domain import (
    MODERATORS,
    Restriction,
    Statement,
    TextVersion,
    show_decision,
)
from services.moderation.cases.handlers.record import record_decision
from shared.contracts.ids import AppealId, DecisionId, StructureId
from shared.contracts.moderation import Outcome
from shared.kit.core.pagination import read_visible_page
from shared.kit.core.policy import Actor, Allowed, Denied, require_allowed
from shared.kit.core.unit_of_work import Caller, Unit


@dataclass(frozen=True)
class DecideAppeal:
    """Uphold or overturn a decision; `answer` is read by its author."""

    appeal_id: AppealId
    outcome: Outcome
    answer: str


@dataclass(frozen=True, slots=True)
class AppealFile:
    """An appeal as a moderator reads it: the statement, the author's words, and the texts."""

    appeal: Appeal
    words: str
    statement: Statement
    texts: Sequence[TextVersion]


async def list_appeals(
    deps: AppealsDeps, caller: Caller, actor: Actor, after: AppealQueueKey | None, limit: int
) -> tuple[list[Appeal], AppealQueueKey | None]:
    """List some open appeals that this moderator may decide, the oldest first."""
    if not actor.holds_anywhere(*MODERATORS):
        return [], None
    lines: dict[StructureId, tuple[StructureId, ...]] = {}
    async with deps.cases.unit(caller) as unit:

        async def read(place: AppealQueueKey | None, rows: int) -> Sequence[Appeal]:
            return await deps.appeals.list_open(unit, caller.tenant, place, rows)

        async def keep(appeals: Sequence[Appeal]) -> Sequence[Appeal]:
            for where in {appeal.subject.structure_id for appeal in appeals} - lines.keys():
                lines[where] = await deps.cases.cases.ancestry(unit, caller.tenant, where)
            return [
                appeal
                for appeal in appeals
                if isinstance(
                    may_decide_appeal(actor, appeal, lines[appeal.subject.structure_id]), Allowed
                )
            ]

        def place_of(appeal: Appeal) -> AppealQueueKey:
            return appeal.received_at, appeal.appeal_id

        return await read_visible_page(read, keep, place_of, after, limit)


async def read_appeal(
    deps: AppealsDeps, caller: Caller, actor: Actor, appeal_id: AppealId
) -> AppealFile:
    """Read an appeal. Raises `AppealNotFound`."""
    async with deps.cases.unit(caller) as unit:
        appeal, words, _ = await _readable(deps, unit, actor, appeal_id)
        content = appeal.subject.content_id
        texts = await deps.cases.texts.list_versions(unit, caller.tenant, content)
        return AppealFile(appeal, words, await _statement(deps, unit, appeal), texts)


async def decide_appeal(
    deps: AppealsDeps, caller: Caller, actor: Actor, command: DecideAppeal
) -> Appeal:
    """Decide an appeal; an overturned decision is reversed, and what it hid is shown.

    Raises `AppealNotFound`, `AppealIsDecided`, `SomeoneElseDecides`, `Forbidden`.
    """
    async with deps.cases.unit(caller) as unit:
        appeal, _, line = await _readable(deps, unit, actor, command.appeal_id)
        require_allowed(may_decide_appeal(actor, appeal, line))
        decided, fact = appeal.decide(command.outcome, command.answer, actor.member_id, unit.now)
        await deps.appeals.save_outcome(unit, decided)
        unit.record(fact)
        if command.outcome is Outcome.OVERTURNED:
            await _reverse(deps, unit, caller, decided)
        return decided


async def _reverse(deps: AppealsDeps, unit: Unit, caller: Caller, appeal: Appeal) -> None:
    """Reverse the decision; a later version that waited for it, and passes, is shown as well."""
    content = appeal.subject.content_id
    decisions = deps.cases.decisions
    await decisions.add_reversal(unit, caller.tenant, appeal.decision_id, appeal.appeal_id)
    unit.record(appeal.reversal(await _statement(deps, unit, appeal)))
    restriction = await decisions.lock_restriction(unit, caller.tenant, content)
    latest = await deps.cases.texts.find_passing_version(unit, caller.tenant, content)
    if restriction is Restriction.LIFTED and latest is not None:
        later = replace(appeal.subject, version=latest)
        if later != appeal.subject:
            decision = show_decision(DecisionId(deps.cases.new_id()))
            await record_decision(deps.cases, unit, caller, decision, later)


async def _readable(
    deps: AppealsDeps, unit: Unit, actor: Actor, appeal_id: AppealId
) -> tuple[Appeal, str, tuple[StructureId, ...]]:
    """Find an appeal; one that this actor may not read is not there for them."""
    row = await deps.appeals.find_and_lock(unit, actor.tenant, appeal_id)
    if row is None:
        raise AppealNotFound(appeal_id=appeal_id)
    appeal, words = row
    line = await deps.cases.cases.ancestry(unit, actor.tenant, appeal.subject.structure_id)
    if isinstance(may_read_appeal(actor, appeal, line), Denied):
        raise AppealNotFound(appeal_id=appeal_id)
    return appeal, words, line


async def _statement(deps: AppealsDeps, unit: Unit, appeal: Appeal) -> Statement:
    statement = await deps.statements.find(unit, appeal.tenant_id, appeal.statement_id)
    if statement is None:
        raise AppealNotFound(appeal_id=appeal.appeal_id)
    return statement
