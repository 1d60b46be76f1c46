"""What screening needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.moderation.cases.domain import Subject
from services.moderation.cases.ports import CasesDeps
from services.moderation.screening.domain import Screened, Unscreened
from shared.contracts.ids import TenantId
from shared.kit.unit import Clock, NewId, Unit
from shared.kit.windows.port import Windows


class Screener(Protocol):
    """Reads texts by the rules, each within a deadline. Never called inside a transaction."""

    async def screen(self, texts: Sequence[Unscreened]) -> Sequence[Screened]:
        """Say what the rules make of each text, in this order; titles are read too.

        A text that is late, or that ends the process that reads it, is `domain.unread_text`. Never
        raises for what stands in a text.
        """


@dataclass(frozen=True, slots=True)
class Record:
    """A screening to keep, with its text to seal."""

    tenant: TenantId
    subject: Subject
    screened: Screened
    content_hash: str


class Screenings(Protocol):
    """What was screened, with the masked text sealed."""

    async def keep(self, unit: Unit, records: Sequence[Record]) -> None:
        """Keep them; the last version of a content is what stays."""


@dataclass(frozen=True)
class ScreeningDeps:
    """Handed to the reactions of this feature."""

    screener: Screener
    windows: Windows
    screenings: Screenings
    cases: CasesDeps
    clock: Clock
    new_id: NewId
