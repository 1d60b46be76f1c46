"""Builders of contents."""

from typing import Any

from services.community.conversations.domain import Content
from shared.contracts.community import ContentKind
from shared.contracts.example_data import COLLEGE, NOON, QUESTION, SPACE, TENANT, ZOE


def a_content(kind: ContentKind = ContentKind.QUESTION, **changes: Any) -> Content:
    """Build Zoé's question, or another content by `kind` and `changes`."""
    values: dict[str, Any] = {  # Any: the fields of a content
        "tenant_id": TENANT,
        "content_id": QUESTION,
        "kind": kind,
        "root_id": QUESTION,
        "space_id": SPACE,
        "structure_id": COLLEGE,
        "title": "« Malgré que » ? 🤔",
        "body": "Où ça ?",
        "created_at": NOON,
        "author_id": ZOE,
    }
    return Content(**{**values, **changes})
