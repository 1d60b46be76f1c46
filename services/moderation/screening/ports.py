"""What screening needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from services.moderation.cases.domain import Subject
from services.moderation.cases.ports import CasesDeps
from services.moderation.screening.domain import ScreeningRequest, ScreeningResult
from shared.contracts.ids import ContentId, MemberId, TenantId
from shared.contracts.moderation import HelpWords
from shared.kit.core.sliding_windows import SlidingWindows
from shared.kit.core.unit_of_work import Clock, NewId, Unit


class Screener(Protocol):
    """Reads texts by the rules, each within a deadline. Never called inside a transaction."""

    async def screen(self, texts: Sequence[ScreeningRequest]) -> Sequence[ScreeningResult]:
        """Return what the rules make of each text, in this order; titles are read too.

        A text that is late, or that ends the process that reads it, is `domain.unread_text`. Never
        raises for what stands in a text.
        """


@dataclass(frozen=True, slots=True)
class ScreeningRecord:
    """A screening to keep, with its text to seal."""

    tenant: TenantId
    subject: Subject
    screened: ScreeningResult
    content_hash: str
    written_at: datetime
    """When its author wrote this version."""


@dataclass(frozen=True, slots=True)
class HelpOffer:
    """Words of help for the author of a content; once per content and day."""

    tenant: TenantId
    content_id: ContentId
    version: int
    day: date
    reason: str
    recipient: MemberId


class Screenings(Protocol):
    """What was screened, with the masked text sealed."""

    async def save(self, unit: Unit, records: Sequence[ScreeningRecord]) -> None:
        """Keep them, a row for each version; the same version again replaces its row."""


class HelpOffers(Protocol):
    """Which words of help were offered, and when."""

    async def add(self, unit: Unit, offer: HelpOffer) -> bool:
        """Keep an offer; False when one was made for this content on this day."""


@dataclass(frozen=True)
class ScreeningDeps:
    """Handed to the reactions of this feature."""

    screener: Screener
    windows: SlidingWindows
    screenings: Screenings
    offers: HelpOffers
    messages: Mapping[str, HelpWords]
    """Reason key → what the author reads."""
    cases: CasesDeps
    clock: Clock
    new_id: NewId
