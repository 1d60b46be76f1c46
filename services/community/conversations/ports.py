"""Ports of conversations."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.community.conversations.domain import Content
from services.community.spaces.ports import Spaces
from shared.contracts.ids import ContentId, MemberId, SpaceId, TenantId
from shared.contracts.moderation import HelpWords
from shared.kit.core.unit_of_work import BatchedUnit, BatchedUnits, NewId, Unit, Units


class Contents(Protocol):
    """Contents in their current version."""

    async def add(self, unit: Unit | BatchedUnit, contents: Sequence[Content]) -> None:
        """Add the contents whose ids do not exist yet; a batched unit adds them when it commits."""

    async def find(
        self, unit: Unit | BatchedUnit, tenant: TenantId, ids: Sequence[ContentId]
    ) -> dict[ContentId, Content]:
        """Find the contents with these ids; an unknown id is left out."""

    async def lock(
        self, unit: Unit, tenant: TenantId, ids: Sequence[ContentId]
    ) -> dict[ContentId, Content]:
        """Find the contents with these ids and lock their rows until the transaction ends."""

    async def update(self, unit: Unit, content: Content) -> None:
        """Write all columns of a content that may change after it was published."""


class Conversations(Protocol):
    """Conversations and their contents, as lists."""

    async def list_contents(
        self, unit: Unit, tenant: TenantId, root: ContentId
    ) -> Sequence[Content]:
        """List a root post with its answers and comments, in the order they were created."""

    async def list_posts(
        self, unit: Unit, tenant: TenantId, space: SpaceId, before_id: ContentId | None, limit: int
    ) -> Sequence[Content]:
        """List root posts of a space, the newest first, older than `before_id`."""


class Flags(Protocol):
    """Flags of contents, one per member and version."""

    async def add(self, unit: Unit, content: Content, member_id: MemberId, reason: str) -> bool:
        """Insert a flag of `content.version`; False when this member has flagged that version."""


@dataclass(frozen=True, slots=True)
class HelpOffer:
    """A help message that moderation offered to the author of a content."""

    content_id: ContentId
    recipient: MemberId
    reason: str
    words: HelpWords


class HelpOffers(Protocol):
    """Help messages, one per content."""

    async def save(
        self, unit: Unit, tenant: TenantId, offer: HelpOffer, offered_at: datetime
    ) -> None:
        """Store a help message unless a later one is stored."""

    async def find(
        self, unit: Unit, tenant: TenantId, recipient: MemberId, ids: Sequence[ContentId]
    ) -> dict[ContentId, HelpWords]:
        """Find the help messages for this recipient about these contents."""


@dataclass(frozen=True)
class ConversationsDeps:
    """Dependencies of the handlers of conversations.

    `unit` opens transactions; `batched` opens batched units, for commands that only load and add.
    """

    unit: Units
    batched: BatchedUnits
    contents: Contents
    conversations: Conversations
    flags: Flags
    spaces: Spaces
    help_offers: HelpOffers
    new_id: NewId
