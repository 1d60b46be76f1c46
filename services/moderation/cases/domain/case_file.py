"""All that a moderator reads of a case: the texts as they were, the flags, what happened since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.moderation.cases.domain.case import Case, CaseEntry, CaseFlag
from shared.contracts.ids import MemberId

_READ_FOR = frozenset({"rule", "unread", "edited", "corrected"})
"""What happens to a version and makes its text worth reading; flags do, too."""


@dataclass(frozen=True, slots=True)
class TextVersion:
    """One version of a text, masked as it may be shown, and when its author wrote it."""

    version: int
    text: str
    written_at: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """A version that gave a reason to look; `text` is None where none was kept."""

    version: int
    text: str | None
    at: datetime
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case with everything that is kept beside it, each list in the order of time."""

    case: Case
    texts: Sequence[TextVersion]
    flags: Sequence[CaseFlag]
    entries: Sequence[CaseEntry]
    removed_at: datetime | None = None

    @property
    def version(self) -> int:
        """Return the latest version that moderation knows of: the one that a decision must name."""
        return max([self.case.subject.version, *(each.version for each in self.texts)])

    @property
    def text(self) -> str | None:
        """Return the text as it stands now; None when its author removed it, or none was kept."""
        if self.removed_at is not None:
            return None
        return self._texts().get(self.version)

    @property
    def edited_at(self) -> datetime | None:
        """Return when it was edited, if that was after the first reason to look."""
        first = min((each.version for each in self.evidence), default=self.version)
        times = {each.version: each.written_at for each in self.texts}
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
        """List the versions that gave a reason to look."""
        reasons: dict[int, list[tuple[str, datetime]]] = {}
        for entry in self.entries:
            if entry.version is not None and entry.what in _READ_FOR:
                reasons.setdefault(entry.version, []).append((entry.what, entry.at))
        for flag in self.flags:
            reasons.setdefault(flag.version, []).append(("flags", flag.at))
        texts = self._texts()
        return [
            Evidence(
                version,
                texts.get(version),
                min(at for _, at in causes),
                tuple(dict.fromkeys(what for what, _ in causes)),
            )
            for version, causes in sorted(reasons.items())
        ]

    @property
    def timeline(self) -> Sequence[CaseEntry]:
        """List all that happened, the flags among it."""
        flags = [CaseEntry("flag", each.at, each.version, each.reason) for each in self.flags]
        return sorted([*self.entries, *flags], key=lambda entry: entry.at)

    def _texts(self) -> Mapping[int, str]:
        return {each.version: each.text for each in self.texts}
