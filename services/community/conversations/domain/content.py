"""Contents (posts, answers, comments): rules and events, without I/O."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from shared.contracts.community import (
    AnswerAccepted,
    AnswerUnaccepted,
    CommentEdited,
    CommentPublished,
    ContentKind,
    ContentRef,
    ContentText,
    PostEdited,
    PostPublished,
)
from shared.contracts.event import Fact, Person, Sealed
from shared.contracts.ids import ContentId, MemberId, SpaceId, StructureId, TenantId
from shared.contracts.moderation import DecidedBy
from shared.kit.core.errors import Conflict, Invalid, NotFound

MAX_BODY_CHARACTERS = 60_000
MAX_TITLE_CHARACTERS = 300
ROOT_KINDS = (ContentKind.DISCUSSION, ContentKind.QUESTION, ContentKind.ANNOUNCEMENT)


class ContentNotFound(NotFound):
    """The content does not exist, or this member may not read it."""

    key = "content_not_found"


class ContentGone(Conflict):
    """The content was removed."""

    key = "content_gone"


class WrongParent(Invalid):
    """An answer must reply to a question, a comment to a post or an answer."""

    key = "wrong_parent"


class TitleNotAllowed(Invalid):
    """Only posts have a title; answers and comments have none."""

    key = "no_title_here"


class AlreadyFlagged(Conflict):
    """This member has already flagged this version."""

    key = "already_flagged"


class NoSuchVersion(Invalid):
    """The content has no such version."""

    key = "no_such_version"


class ContentStatus(StrEnum):
    """Whether readers see a content."""

    VISIBLE = "visible"
    HIDDEN = "hidden"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Content:
    """A post, answer or comment in its current version."""

    tenant_id: TenantId
    content_id: ContentId
    kind: ContentKind
    root_id: ContentId
    space_id: SpaceId
    structure_id: StructureId
    body: str
    created_at: datetime
    parent_id: ContentId | None = None
    title: str | None = None
    format: str = "markdown"
    html: str = ""
    html_version: int = 0
    author_id: MemberId | None = None
    author_structure: StructureId | None = None
    author_role: str | None = None
    version: int = 1
    standing: ContentStatus = ContentStatus.VISIBLE
    reason: str | None = None
    decision_id: UUID | None = None
    decided_by: DecidedBy | None = None
    decided_version: int | None = None
    accepted_id: ContentId | None = None
    edited_at: datetime | None = None

    @property
    def ref(self) -> ContentRef:
        """The reference with which events name this content."""
        return ContentRef(
            kind=self.kind,
            id=self.content_id,
            root_id=self.root_id,
            parent_id=self.parent_id,
            version=self.version,
        )

    @property
    def author(self) -> Person | None:
        """The author with structure and role at the time of writing; None for a deleted account."""
        if self.author_id is None:
            return None
        return Person(
            member_id=self.author_id, structure_id=self.author_structure, role=self.author_role
        )

    @property
    def under_review(self) -> Literal["rules", "moderator"] | None:
        """What must still check a hidden content that was edited after it was hidden."""
        if self.standing is not ContentStatus.HIDDEN or self.decided_version in {
            None,
            self.version,
        }:
            return None
        return "moderator" if self.decided_by is DecidedBy.MEMBER else "rules"

    @property
    def text(self) -> Sealed[ContentText]:
        """The text as events carry it: sealed, because it is personal data."""
        return Sealed(clear=ContentText(body=self.body, title=self.title, format=self.format))


def check_not_removed(*contents: Content) -> None:
    """Check that no content is removed. Raises `ContentGone` for the first removed one."""
    for content in contents:
        if content.standing is ContentStatus.REMOVED:
            raise ContentGone(content_id=content.content_id)


def check_flaggable(content: Content, version: int | None) -> Content:
    """Return the content at the flagged version. Raises `NoSuchVersion`, `ContentGone`.

    A content that its author removed can still be flagged by members who read it; a content that a
    decision removed cannot.
    """
    if content.standing is ContentStatus.REMOVED and content.decision_id is not None:
        raise ContentGone(content_id=content.content_id)
    if version is not None and not 1 <= version <= content.version:
        raise NoSuchVersion(content_id=content.content_id, version=version)
    return content if version is None else replace(content, version=version)


def check_parent(kind: ContentKind, parent: Content | None) -> None:
    """Check that a content of this kind may reply to this parent. Raises `WrongParent`."""
    if kind in ROOT_KINDS:
        return
    parent_kinds = {ContentKind.ANSWER: (ContentKind.QUESTION,)}.get(
        kind, (*ROOT_KINDS, ContentKind.ANSWER)
    )
    if parent is None or parent.kind not in parent_kinds:
        raise WrongParent(kind=kind.value, parent=parent.kind.value if parent else "none")


def published_fact(content: Content, reply_to: Person | None) -> Fact:
    """Build the event for a new content."""
    fact = CommentPublished if content.kind is ContentKind.COMMENT else PostPublished
    return fact(
        ref=content.ref,
        space_id=content.space_id,
        structure_id=content.structure_id,
        author=content.author,
        reply_to=reply_to,
        content=content.text,
    )


def accepted_fact(answer: Content, question: Content, by: MemberId) -> AnswerAccepted:
    """Build the event for an accepted answer."""
    return AnswerAccepted(
        ref=answer.ref,
        space_id=answer.space_id,
        structure_id=answer.structure_id,
        author=answer.author,
        asker=question.author,
        accepted_by=by,
    )


def unaccepted_fact(answer: Content, by: MemberId) -> AnswerUnaccepted:
    """Build the event for an answer that is no longer accepted."""
    return AnswerUnaccepted(
        ref=answer.ref,
        space_id=answer.space_id,
        structure_id=answer.structure_id,
        author=answer.author,
        by=by,
    )


def edit(
    content: Content, title: str | None, body: str, now: datetime
) -> tuple[Content, Fact] | None:
    """Change the title and text; None when both are unchanged. `title=None` keeps the title.

    A hidden content stays hidden until its new text is decided on.
    Raises `ContentGone`, `TitleNotAllowed`.
    """
    check_not_removed(content)
    if title is not None and content.kind not in ROOT_KINDS:
        raise TitleNotAllowed(kind=content.kind.value)
    title = content.title if title is None else title
    if (title, body) == (content.title, content.body):
        return None
    # The stored HTML belongs to the old text; the caller renders the new text afterwards.
    changed = replace(
        content,
        title=title,
        body=body,
        html="",
        html_version=0,
        version=content.version + 1,
        edited_at=now,
    )
    fact = CommentEdited if content.kind is ContentKind.COMMENT else PostEdited
    return changed, fact(
        ref=changed.ref,
        space_id=changed.space_id,
        structure_id=changed.structure_id,
        author=changed.author,
        content=changed.text,
    )
