"""Take in a chunk of history: one transaction, an outcome per line."""

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
    """A chunk of one source, into one space: contents first, then what was accepted."""

    space_id: SpaceId
    source: str
    rows: Sequence[ImportRow] = ()
    accepted: Sequence[AcceptedAnswer] = ()


@dataclass(frozen=True)
class ImportOutcomes:
    """Outcomes, in the order of lines and of acceptances."""

    rows: list[Outcome]
    accepted: list[Outcome]


async def import_contents(
    deps: ImportsDeps, caller: Caller, actor: Actor, command: ImportContents
) -> ImportOutcomes:
    """Take it in. Raises `SpaceNotFound` and `Forbidden`.

    HTML is made between two units: after the right is known, and in no open transaction.
    """
    caller = replace(caller, origin=Origin.IMPORT)
    async with deps.unit(caller) as unit:
        await _space(deps, unit, actor, command.space_id)
    htmls = await asyncio.to_thread(_htmls, command.rows)
    async with deps.unit(caller) as unit:
        space = await _space(deps, unit, actor, command.space_id)
        lines = await _take_lines(deps, unit, space, command, htmls)
        accepted = [
            await _take_acceptance(deps, unit, space, command.source, each)
            for each in command.accepted
        ]
        created = sum(1 for outcome, _ in lines if outcome == "created")
        counts = {"lines": len(command.rows), "created": created, "accepted": len(accepted)}
        source = command.source
        unit.audit(caller, "contents.imported", command.space_id, source=source, **counts)
    return ImportOutcomes(lines, accepted)


async def _space(deps: ImportsDeps, unit: Unit, actor: Actor, space_id: SpaceId) -> Space:
    space = await deps.spaces.find(unit, actor.tenant, space_id)
    if space is None:
        raise SpaceNotFound(space_id=space_id)
    require_allowed(may_import(actor, space))
    return space


def _htmls(lines: Sequence[ImportRow]) -> list[str]:
    # A longer text is refused; nothing is made of it.
    return [
        render_html(line.body, "html") if len(line.body) <= MAX_BODY_CHARACTERS else ""
        for line in lines
    ]


async def _take_lines(
    deps: ImportsDeps,
    unit: Unit,
    space: Space,
    command: ImportContents,
    htmls: Sequence[str],
) -> list[Outcome]:
    tenant, source = space.tenant_id, command.source
    named = {imported_content_id(tenant, source, line.outside_id) for line in command.rows}
    parents = {
        imported_content_id(tenant, source, line.parent) for line in command.rows if line.parent
    }
    known = await deps.contents.find(unit, tenant, list(named | parents))
    new: dict[ContentId, Content] = {}
    outcomes: list[Outcome] = []
    replies: dict[ContentId, Content | None] = {}
    for line, html in zip(command.rows, htmls, strict=True):
        found = imported_content_id(tenant, source, line.outside_id)
        parent_id = imported_content_id(tenant, source, line.parent) if line.parent else None
        parent = (new.get(parent_id) or known.get(parent_id)) if parent_id else None
        why = rejection_reason(line, parent, unit.now)
        if why:
            outcomes.append(("refused", why))
        elif found in new:
            outcomes.append(("repeated", None))
        elif found in known:
            same = is_unchanged(line, known, found)
            changed = "it is here already, with another text"
            outcomes.append(("unchanged", None) if same else ("refused", changed))
        else:
            new[found] = with_html(to_content(line, space, source, parent), html)
            replies[found] = parent
            outcomes.append(("created", None))
    await deps.contents.add(unit, list(new.values()))
    for found, content in new.items():
        parent = replies[found]
        fact = published_fact(content, parent.author if parent else None)
        unit.record(fact, at=content.created_at)
    return outcomes


async def _take_acceptance(
    deps: ImportsDeps, unit: Unit, space: Space, source: str, line: AcceptedAnswer
) -> Outcome:
    if line.at is not None and line.at > unit.now:
        return "refused", "the date lies in the future"
    tenant = space.tenant_id
    answer_id = imported_content_id(tenant, source, line.answer)
    answer = (await deps.contents.find(unit, tenant, [answer_id])).get(answer_id)
    if answer is None or answer.kind is not ContentKind.ANSWER:
        return "refused", "the accepted answer is not there"
    found = await deps.contents.find(unit, tenant, [answer.root_id], lock=True)
    question = found[answer.root_id]
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
    unit.record(fact, at=max(line.at or answer.created_at, answer.created_at))
    return "created", None
