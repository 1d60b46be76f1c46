"""Import a chunk of content: one transaction, an outcome per row."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.community.conversations.domain import MAX_BODY_CHARACTERS, Content, published_fact
from services.community.conversations.handlers.rendering import with_html
from services.community.imports.domain import (
    AcceptedAnswer,
    ImportRow,
    Outcome,
    imported_content_id,
    is_unchanged,
    rejection_reason,
    to_content,
)
from services.community.imports.policy import may_import
from services.community.imports.ports import ImportsDeps
from services.community.spaces.domain import Space, SpaceNotFound
from shared.contracts.community import AnswerAccepted, ContentKind
from shared.contracts.event import Origin
from shared.contracts.ids import ContentId, SpaceId
from shared.kit.core.policy import Actor, require_allowed
from shared.kit.core.unit_of_work import Caller, Unit
from shared.kit.text.markup import render_html


@dataclass(frozen=True)
class ImportContents:
    """A chunk of one source for one space: contents first, then accepted answers."""

    space_id: SpaceId
    source: str
    rows: Sequence[ImportRow] = ()
    accepted: Sequence[AcceptedAnswer] = ()


@dataclass(frozen=True)
class ImportOutcomes:
    """Outcomes, in the order of the rows and of the accepted answers."""

    rows: list[Outcome]
    accepted: list[Outcome]


async def import_contents(
    deps: ImportsDeps, caller: Caller, actor: Actor, command: ImportContents
) -> ImportOutcomes:
    """Import a chunk. Raises `SpaceNotFound` and `Forbidden`.

    HTML is rendered between two units: after the right is checked, outside of any transaction.
    """
    caller = replace(caller, origin=Origin.IMPORT)
    async with deps.unit(caller) as unit:
        await _find_importable_space(deps, unit, actor, command.space_id)
    htmls = await asyncio.to_thread(_render_rows, command.rows)
    async with deps.unit(caller) as unit:
        space = await _find_importable_space(deps, unit, actor, command.space_id)
        row_outcomes = await _import_rows(deps, unit, space, command, htmls)
        accepted = [
            await _import_accepted_answer(deps, unit, space, command.source, answer)
            for answer in command.accepted
        ]
        created = sum(1 for outcome, _ in row_outcomes if outcome == "created")
        counts = {"lines": len(command.rows), "created": created, "accepted": len(accepted)}
        source = command.source
        unit.audit(caller, "contents.imported", command.space_id, source=source, **counts)
    return ImportOutcomes(row_outcomes, accepted)


async def _find_importable_space(
    deps: ImportsDeps, unit: Unit, actor: Actor, space_id: SpaceId
) -> Space:
    space = await deps.spaces.find(unit, actor.tenant, space_id)
    if space is None:
        raise SpaceNotFound(space_id=space_id)
    require_allowed(may_import(actor, space))
    return space


def _render_rows(rows: Sequence[ImportRow]) -> list[str]:
    # A longer text will be refused, so it is not rendered.
    return [
        render_html(row.body, "html") if len(row.body) <= MAX_BODY_CHARACTERS else ""
        for row in rows
    ]


async def _import_rows(
    deps: ImportsDeps,
    unit: Unit,
    space: Space,
    command: ImportContents,
    htmls: Sequence[str],
) -> list[Outcome]:
    tenant, source = space.tenant_id, command.source
    ids = {imported_content_id(tenant, source, row.outside_id) for row in command.rows}
    parents = {
        imported_content_id(tenant, source, row.parent) for row in command.rows if row.parent
    }
    stored = await deps.contents.find(unit, tenant, list(ids | parents))
    new: dict[ContentId, Content] = {}
    outcomes: list[Outcome] = []
    replies: dict[ContentId, Content | None] = {}
    for row, html in zip(command.rows, htmls, strict=True):
        new_id = imported_content_id(tenant, source, row.outside_id)
        parent_id = imported_content_id(tenant, source, row.parent) if row.parent else None
        parent = (new.get(parent_id) or stored.get(parent_id)) if parent_id else None
        reason = rejection_reason(row, parent, unit.now)
        if reason:
            outcomes.append(("refused", reason))
        elif new_id in new:
            outcomes.append(("repeated", None))
        elif new_id in stored:
            is_same = is_unchanged(row, stored, new_id)
            conflict = "it is here already, with another text"
            outcomes.append(("unchanged", None) if is_same else ("refused", conflict))
        else:
            new[new_id] = with_html(to_content(row, space, source, parent), html)
            replies[new_id] = parent
            outcomes.append(("created", None))
    await deps.contents.add(unit, list(new.values()))
    for new_id, content in new.items():
        parent = replies[new_id]
        fact = published_fact(content, parent.author if parent else None)
        unit.record(fact, at=content.created_at)
    return outcomes


async def _import_accepted_answer(
    deps: ImportsDeps, unit: Unit, space: Space, source: str, accepted: AcceptedAnswer
) -> Outcome:
    if accepted.at is not None and accepted.at > unit.now:
        return "refused", "the date lies in the future"
    tenant = space.tenant_id
    answer_id = imported_content_id(tenant, source, accepted.answer)
    answer = (await deps.contents.find(unit, tenant, [answer_id])).get(answer_id)
    if answer is None or answer.kind is not ContentKind.ANSWER:
        return "refused", "the accepted answer is not there"
    contents = await deps.contents.lock(unit, tenant, [answer.root_id])
    question = contents[answer.root_id]
    if question.accepted_id is not None:
        return "unchanged", None
    await deps.contents.update(unit, replace(question, accepted_id=answer_id))
    fact = AnswerAccepted(
        ref=answer.ref,
        space_id=answer.space_id,
        structure_id=answer.structure_id,
        author=answer.author,
        asker=question.author,
        accepted_by=question.author_id,
    )
    unit.record(fact, at=max(accepted.at or answer.created_at, answer.created_at))
    return "created", None
