"""Accept an answer, or flag a content."""

from dataclasses import dataclass, replace

from services.community.conversations.domain import (
    AlreadyFlagged,
    Content,
    WrongParent,
    accepted_fact,
    check_flaggable,
    check_not_removed,
    unaccepted_fact,
)
from services.community.conversations.handlers.queries import get_readable
from services.community.conversations.policy import may_accept, may_flag
from services.community.conversations.ports import ConversationsDeps
from shared.contracts.community import ContentFlagged, ContentKind
from shared.contracts.event import Person
from shared.contracts.ids import ContentId
from shared.kit.core.policy import Actor, require_allowed
from shared.kit.core.unit_of_work import Caller


@dataclass(frozen=True)
class FlagContent:
    """Report a content at the version that was read; `version=None` means the latest."""

    content_id: ContentId
    reason: str
    version: int | None = None


async def accept_answer(
    deps: ConversationsDeps, caller: Caller, actor: Actor, answer_id: ContentId
) -> Content:
    """Accept an answer; it replaces an answer accepted earlier.

    Raises `ContentNotFound`, `ContentGone`, `WrongParent`, `Forbidden`.
    """
    async with deps.unit(caller) as unit:
        readable = await get_readable(deps, unit, actor, answer_id)
        answer = readable.content
        if answer.kind is not ContentKind.ANSWER:
            raise WrongParent(kind=answer.kind.value, parent="none")
        ids = [answer.root_id, answer_id]
        contents = await deps.contents.lock(unit, caller.tenant, ids)
        question, answer = contents[answer.root_id], contents[answer_id]
        require_allowed(may_accept(actor, question, readable.membership))
        check_not_removed(answer, question)
        if question.accepted_id == answer_id:
            return answer
        if question.accepted_id is not None:
            accepted_before = await deps.contents.find(unit, caller.tenant, [question.accepted_id])
            for previous in accepted_before.values():
                unit.record(unaccepted_fact(previous, actor.member_id))
        await deps.contents.update(unit, replace(question, accepted_id=answer_id))
        unit.record(accepted_fact(answer, question, actor.member_id))
        return answer


async def flag_content(
    deps: ConversationsDeps, caller: Caller, actor: Actor, command: FlagContent
) -> None:
    """Flag a content, once per member and version, even if its author edited or removed it since.

    Raises `AlreadyFlagged`, `NoSuchVersion`, `Forbidden`, and `ContentGone` after a removal by
    decision.
    """
    async with deps.unit(caller) as unit:
        readable = await get_readable(deps, unit, actor, command.content_id)
        require_allowed(may_flag(actor, readable.content, readable.membership))
        content = check_flaggable(readable.content, command.version)
        if not await deps.flags.add(unit, content, actor.member_id, command.reason):
            raise AlreadyFlagged(content_id=command.content_id)
        flagger = Person(
            member_id=actor.member_id, structure_id=actor.structure_id, role=actor.role
        )
        unit.record(
            ContentFlagged(
                ref=content.ref,
                space_id=content.space_id,
                structure_id=content.structure_id,
                author=content.author,
                flagged_by=flagger,
                reason=command.reason,
            )
        )
