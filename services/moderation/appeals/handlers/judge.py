"""Commands and queries of moderators about appeals: list, read, decide."""

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
    """Uphold or overturn a decision; `answer` is sent to its author."""

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
    """List open appeals that this moderator may decide, the oldest first, and the next key."""
    if not actor.holds_anywhere(*MODERATORS):
        return [], None
    ancestries: dict[StructureId, tuple[StructureId, ...]] = {}
    async with deps.cases.unit(caller) as unit:

        async def read(key: AppealQueueKey | None, rows: int) -> Sequence[Appeal]:
            return await deps.appeals.list_open(unit, caller.tenant, key, rows)

        async def keep(appeals: Sequence[Appeal]) -> Sequence[Appeal]:
            for structure in {
                appeal.subject.structure_id for appeal in appeals
            } - ancestries.keys():
                ancestries[structure] = await deps.cases.cases.ancestry(
                    unit, caller.tenant, structure
                )
            return [
                appeal
                for appeal in appeals
                if isinstance(
                    may_decide_appeal(actor, appeal, ancestries[appeal.subject.structure_id]),
                    Allowed,
                )
            ]

        def key_of(appeal: Appeal) -> AppealQueueKey:
            return appeal.received_at, appeal.appeal_id

        return await read_visible_page(read, keep, key_of, after, limit)


async def read_appeal(
    deps: AppealsDeps, caller: Caller, actor: Actor, appeal_id: AppealId
) -> AppealFile:
    """Return an appeal file. Raises `AppealNotFound`."""
    async with deps.cases.unit(caller) as unit:
        appeal, words, _ = await _find_readable(deps, unit, actor, appeal_id)
        content = appeal.subject.content_id
        texts = await deps.cases.texts.list_versions(unit, caller.tenant, content)
        return AppealFile(appeal, words, await _find_statement(deps, unit, appeal), texts)


async def decide_appeal(
    deps: AppealsDeps, caller: Caller, actor: Actor, command: DecideAppeal
) -> Appeal:
    """Decide an appeal; an overturned decision is reversed, and the hidden content is shown.

    Raises `AppealNotFound`, `AppealIsDecided`, `SomeoneElseDecides`, `Forbidden`.
    """
    async with deps.cases.unit(caller) as unit:
        appeal, _, ancestry = await _find_readable(deps, unit, actor, command.appeal_id)
        require_allowed(may_decide_appeal(actor, appeal, ancestry))
        decided, fact = appeal.decide(command.outcome, command.answer, actor.member_id, unit.now)
        await deps.appeals.save_outcome(unit, decided)
        unit.record(fact)
        if command.outcome is Outcome.OVERTURNED:
            await _reverse(deps, unit, caller, decided)
        return decided


async def _reverse(deps: AppealsDeps, unit: Unit, caller: Caller, appeal: Appeal) -> None:
    """Reverse the decision; show a later version too, if it passed and waited for it."""
    content = appeal.subject.content_id
    decisions = deps.cases.decisions
    await decisions.add_reversal(unit, caller.tenant, appeal.decision_id, appeal.appeal_id)
    unit.record(appeal.reversal(await _find_statement(deps, unit, appeal)))
    restriction = await decisions.lock_restriction(unit, caller.tenant, content)
    passing_version = await deps.cases.texts.find_passing_version(unit, caller.tenant, content)
    if restriction is Restriction.LIFTED and passing_version is not None:
        later_subject = replace(appeal.subject, version=passing_version)
        if later_subject != appeal.subject:
            decision = show_decision(DecisionId(deps.cases.new_id()))
            await record_decision(deps.cases, unit, caller, decision, later_subject)


async def _find_readable(
    deps: AppealsDeps, unit: Unit, actor: Actor, appeal_id: AppealId
) -> tuple[Appeal, str, tuple[StructureId, ...]]:
    """Find an appeal and lock it. Raises `AppealNotFound` also if this actor may not read it."""
    row = await deps.appeals.find_and_lock(unit, actor.tenant, appeal_id)
    if row is None:
        raise AppealNotFound(appeal_id=appeal_id)
    appeal, words = row
    ancestry = await deps.cases.cases.ancestry(unit, actor.tenant, appeal.subject.structure_id)
    if isinstance(may_read_appeal(actor, appeal, ancestry), Denied):
        raise AppealNotFound(appeal_id=appeal_id)
    return appeal, words, ancestry


async def _find_statement(deps: AppealsDeps, unit: Unit, appeal: Appeal) -> Statement:
    statement = await deps.statements.find(unit, appeal.tenant_id, appeal.statement_id)
    if statement is None:
        raise AppealNotFound(appeal_id=appeal.appeal_id)
    return statement
