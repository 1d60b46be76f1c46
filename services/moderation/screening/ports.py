"""Ports of screening."""

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
    """Screens texts by the rules, each within a deadline. Never called inside a transaction."""

    async def screen(self, texts: Sequence[ScreeningRequest]) -> Sequence[ScreeningResult]:
        """Return the result for each text, in this order; titles are screened too.

        A text that exceeds the deadline, or ends the process that screens it, gets
        `domain.unscreened_result`. Never raises because of a text.
        """


@dataclass(frozen=True, slots=True)
class ScreeningRecord:
    """A screening to store; its text is sealed."""

    tenant: TenantId
    subject: Subject
    screened: ScreeningResult
    content_hash: str
    written_at: datetime
    """When its author wrote this version."""


@dataclass(frozen=True, slots=True)
class HelpOffer:
    """A message of help for the author of a content; one per content and day."""

    tenant: TenantId
    content_id: ContentId
    version: int
    day: date
    reason: str
    recipient: MemberId


class Screenings(Protocol):
    """Stored screenings, with the masked text sealed."""

    async def save(self, unit: Unit, records: Sequence[ScreeningRecord]) -> None:
        """Store one row for each version; a repeated version replaces its row."""


class HelpOffers(Protocol):
    """Messages of help that were offered, by content and day."""

    async def add(self, unit: Unit, offer: HelpOffer) -> bool:
        """Store an offer; return False when this content has one on this day."""


@dataclass(frozen=True)
class ScreeningDeps:
    """Dependencies of the reactions of this feature."""

    screener: Screener
    windows: SlidingWindows
    screenings: Screenings
    offers: HelpOffers
    messages: Mapping[str, HelpWords]
    """Reason key → message for the author."""
    cases: CasesDeps
    clock: Clock
    new_id: NewId
