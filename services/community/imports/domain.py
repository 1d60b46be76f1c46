"""Rules for content that is imported."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from services.community.conversations.domain import (
    MAX_BODY_CHARACTERS,
    MAX_TITLE_CHARACTERS,
    ROOT_KINDS,
    Content,
    WrongParent,
    check_parent,
)
from services.community.spaces.domain import Space
from shared.contracts.community import ContentKind
from shared.contracts.ids import ContentId, MemberId, TenantId, imported_id
from shared.kit.text.characters import is_blank, is_plain_text

EARLIEST_DATE = datetime(1900, 1, 1, tzinfo=UTC)
"""Older dates are mistakes; days near year 1 cannot be converted to every time zone."""


@dataclass(frozen=True, slots=True)
class ImportRow:
    """A content as the source system has it; times carry their zone."""

    outside_id: str
    kind: ContentKind
    body: str
    created_at: datetime
    parent: str | None = None
    author: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class AcceptedAnswer:
    """An answer that its asker accepted, and when (not before the answer was written)."""

    answer: str
    at: datetime | None = None


Outcome = tuple[str, str | None]
"""`created`, `unchanged`, `repeated`, or `refused` with a reason."""


def imported_content_id(tenant: TenantId, source: str, outside_id: str) -> ContentId:
    """Derive the id of an imported content: the same source and outside id give the same id."""
    return ContentId(imported_id(tenant, source, "content", outside_id))


def rejection_reason(row: ImportRow, parent: Content | None, now: datetime) -> str | None:
    """Return why a row cannot be imported; None when it can."""
    missing = f"its parent {row.parent} is not there" if row.parent else "it names no parent"
    long_title = f"the title is longer than {MAX_TITLE_CHARACTERS} characters"
    reasons = (
        (row.created_at > now, "the date lies in the future"),
        (row.created_at < EARLIEST_DATE, "the date lies before 1900"),
        (is_blank(row.body), "the text is empty"),
        (
            len(row.body) > MAX_BODY_CHARACTERS,
            f"the text is longer than {MAX_BODY_CHARACTERS} characters",
        ),
        (row.title is not None and is_blank(row.title), "the title is empty"),
        (not is_plain_text(row.title or ""), "the title holds control characters"),
        (len(row.title or "") > MAX_TITLE_CHARACTERS, long_title),
        (row.title is not None and row.kind not in ROOT_KINDS, f"a {row.kind.value} has no title"),
        (row.kind not in ROOT_KINDS and parent is None, missing),
    )
    for applies, reason in reasons:
        if applies:
            return reason
    try:
        check_parent(row.kind, parent)
    except WrongParent:
        return f"a {row.kind.value} cannot stand there"
    return None


def to_content(row: ImportRow, space: Space, source: str, parent: Content | None) -> Content:
    """Build the content of an import row."""
    tenant = space.tenant_id
    new_id = imported_content_id(tenant, source, row.outside_id)
    author = imported_id(tenant, source, "member", row.author) if row.author else None
    return Content(
        tenant_id=tenant,
        content_id=new_id,
        kind=row.kind,
        root_id=parent.root_id if parent else new_id,
        parent_id=parent.content_id if parent else None,
        space_id=space.space_id,
        structure_id=space.structure_id,
        title=row.title,
        body=row.body,
        format="html",
        created_at=row.created_at,
        author_id=MemberId(author) if author else None,
        author_structure=space.structure_id if author else None,
    )


def is_unchanged(row: ImportRow, stored: Mapping[ContentId, Content], new_id: ContentId) -> bool:
    """Return whether a stored content has the row's text; once edited here, it always counts so."""
    content = stored[new_id]
    return content.version > 1 or (content.body == row.body and content.title == row.title)
