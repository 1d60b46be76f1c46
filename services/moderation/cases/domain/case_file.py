"""The case file of a moderator: the texts as they were, the flags, and the history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.moderation.cases.domain.case import Case, CaseEntry, CaseFlag
from shared.contracts.ids import MemberId

_EVIDENCE_ENTRIES = frozenset({"rule", "unread", "edited", "corrected"})
"""Entries that make the text of their version evidence, as flags do."""


@dataclass(frozen=True, slots=True)
class TextVersion:
    """One version of a text, masked for display, and when its author wrote it."""

    version: int
    text: str
    written_at: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """A version that gave a reason for review; `text` is None where none was stored."""

    version: int
    text: str | None
    at: datetime
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case with all records about it, each list in order of time."""

    case: Case
    texts: Sequence[TextVersion]
    flags: Sequence[CaseFlag]
    entries: Sequence[CaseEntry]
    removed_at: datetime | None = None

    @property
    def version(self) -> int:
        """Return the latest version known to moderation, which a decision must name."""
        return max([self.case.subject.version, *(text.version for text in self.texts)])

    @property
    def text(self) -> str | None:
        """Return the current text; None when its author removed it, or none was stored."""
        if self.removed_at is not None:
            return None
        return self._texts().get(self.version)

    @property
    def edited_at(self) -> datetime | None:
        """Return when it was edited, if that was after the first reason for review."""
        first = min((item.version for item in self.evidence), default=self.version)
        times = {item.version: item.written_at for item in self.texts}
        return times.get(self.version) if self.version > first else None

    @property
    def flagger_numbers(self) -> Mapping[MemberId, int]:
        """Number the people who flagged it, in the order of their first flags."""
        return {
            member: number
            for number, member in enumerate(dict.fromkeys(f.member_id for f in self.flags), 1)
        }

    @property
    def evidence(self) -> Sequence[Evidence]:
        """Return the versions that gave a reason for review."""
        reasons: dict[int, list[tuple[str, datetime]]] = {}
        for entry in self.entries:
            if entry.version is not None and entry.what in _EVIDENCE_ENTRIES:
                reasons.setdefault(entry.version, []).append((entry.what, entry.at))
        for flag in self.flags:
            reasons.setdefault(flag.version, []).append(("flags", flag.at))
        texts = self._texts()
        return [
            Evidence(
                version,
                texts.get(version),
                min(at for _, at in causes),
                tuple(dict.fromkeys(kind for kind, _ in causes)),
            )
            for version, causes in sorted(reasons.items())
        ]

    @property
    def timeline(self) -> Sequence[CaseEntry]:
        """Return the entries and the flags in order of time."""
        flags = [CaseEntry("flag", flag.at, flag.version, flag.reason) for flag in self.flags]
        return sorted([*self.entries, *flags], key=lambda entry: entry.at)

    def _texts(self) -> Mapping[int, str]:
        return {text.version: text.text for text in self.texts}
