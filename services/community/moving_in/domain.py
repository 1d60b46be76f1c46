"""What a line of history must be to be taken in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from services.community.conversations.domain import (
    LONGEST_BODY,
    LONGEST_TITLE,
    ROOTS,
    Content,
    WrongParent,
    check_parent,
)
from services.community.spaces.domain import Space
from shared.contracts.community import ContentKind
from shared.contracts.ids import ContentId, MemberId, TenantId, imported_id
from shared.kit.text.characters import is_blank, is_text

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
"""What is older is a mistake; days near the year 1 exist in some time zones only."""


@dataclass(frozen=True, slots=True)
class Line:
    """A content as the outside system knows it; times with their zone."""

    outside_id: str
    kind: ContentKind
    body: str
    created_at: datetime
    parent: str | None = None
    author: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An answer that its asker accepted, and when (at least as late as the answer)."""

    answer: str
    at: datetime | None = None


Outcome = tuple[str, str | None]
"""`created`, `unchanged`, `repeated`, or `refused` and why."""


def content_id(tenant: TenantId, source: str, outside_id: str) -> ContentId:
    """Name an imported content."""
    return ContentId(imported_id(tenant, source, "content", outside_id))


def refusal(line: Line, parent: Content | None, now: datetime) -> str | None:
    """Say why a line cannot be taken in; None when it can."""
    missing = f"its parent {line.parent} is not there" if line.parent else "it names no parent"
    long_title = f"the title is longer than {LONGEST_TITLE} characters"
    reasons = (
        (line.created_at > now, "the date lies in the future"),
        (line.created_at < EARLIEST, "the date lies before 1900"),
        (is_blank(line.body), "the text is empty"),
        (len(line.body) > LONGEST_BODY, f"the text is longer than {LONGEST_BODY} characters"),
        (line.title is not None and is_blank(line.title), "the title is empty"),
        (not is_text(line.title or ""), "the title holds control characters"),
        (len(line.title or "") > LONGEST_TITLE, long_title),
        (line.title is not None and line.kind not in ROOTS, f"a {line.kind.value} has no title"),
        (line.kind not in ROOTS and parent is None, missing),
    )
    for applies, reason in reasons:
        if applies:
            return reason
    try:
        check_parent(line.kind, parent)
    except WrongParent:
        return f"a {line.kind.value} cannot stand there"
    return None


def content_of(line: Line, space: Space, source: str, parent: Content | None) -> Content:
    """Make the content that a line tells of."""
    tenant = space.tenant_id
    found = content_id(tenant, source, line.outside_id)
    author = imported_id(tenant, source, "member", line.author) if line.author else None
    return Content(
        tenant_id=tenant,
        content_id=found,
        kind=line.kind,
        root_id=parent.root_id if parent else found,
        parent_id=parent.content_id if parent else None,
        space_id=space.space_id,
        structure_id=space.structure_id,
        title=line.title,
        body=line.body,
        format="html",
        created_at=line.created_at,
        author_id=MemberId(author) if author else None,
        author_structure=space.structure_id if author else None,
    )


def same_text(line: Line, known: Mapping[ContentId, Content], found: ContentId) -> bool:
    """Tell whether what is already here is what the line says."""
    here = known[found]
    return here.version > 1 or (here.body == line.body and here.title == line.title)
