"""What the conversations' handlers need."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.community.conversations.domain import Content
from services.community.spaces.ports import Spaces
from shared.contracts.ids import ContentId, MemberId, SpaceId, TenantId
from shared.contracts.moderation import HelpWords
from shared.kit.core.unit_of_work import NewId, Unit, Units


class Contents(Protocol):
    """All that is said, as it stands now."""

    async def add(self, unit: Unit, contents: Sequence[Content]) -> None:
        """Add those that are new; in a light unit nobody finds them before it commits."""

    async def find(
        self, unit: Unit, tenant: TenantId, ids: Sequence[ContentId], *, lock: bool = False
    ) -> dict[ContentId, Content]:
        """Find those that exist; with `lock` nobody else changes them meanwhile."""

    async def update(self, unit: Unit, content: Content) -> None:
        """Write what may change of a content."""

    async def list_conversation(
        self, unit: Unit, tenant: TenantId, root: ContentId
    ) -> Sequence[Content]:
        """List a root post and all below it, in the order they were created."""

    async def list_roots(
        self, unit: Unit, tenant: TenantId, space: SpaceId, before: ContentId | None, limit: int
    ) -> Sequence[Content]:
        """List root posts, the newest first."""

    async def flag(self, unit: Unit, content: Content, member_id: MemberId, reason: str) -> bool:
        """Keep a flag of `content.version`; False when this member has flagged that version."""


@dataclass(frozen=True, slots=True)
class HelpOffer:
    """Words of help that moderation offered to the author of a content."""

    content_id: ContentId
    recipient: MemberId
    reason: str
    words: HelpWords


class HelpOffers(Protocol):
    """The words of help, by content."""

    async def save(self, unit: Unit, tenant: TenantId, words: HelpOffer, at: datetime) -> None:
        """Keep the words that were offered; those offered last stay."""

    async def find(
        self, unit: Unit, tenant: TenantId, recipient: MemberId, ids: Sequence[ContentId]
    ) -> dict[ContentId, HelpWords]:
        """Find what was offered to this member about these contents."""


@dataclass(frozen=True)
class ConversationsDeps:
    """Handed to the handlers of this feature.

    Units of `light` only ask and add; there is no transaction between what was asked and that.
    """

    unit: Units
    batched: Units
    contents: Contents
    spaces: Spaces
    help_offers: HelpOffers
    new_id: NewId
