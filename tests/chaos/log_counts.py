"""What pods note in their logs of themselves: lines `FAULTS <what> <whose> <number>`."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

LINE_PREFIX = "FAULTS "
FENCED, REVOKED = "fenced", "revoked"


@dataclass
class LogCounter:
    """Reads on from where each log ended when it was last looked at."""

    _offsets: dict[Path, int] = field(default_factory=dict)

    def skip_to_end(self, logs: Iterable[Path]) -> None:
        """Begin at their ends."""
        self._offsets |= {log: log.stat().st_size for log in logs if log.exists()}

    def count(self, logs: Iterable[Path]) -> Counter[tuple[str, str]]:
        """Count the lines since then, by what and whose."""
        counts: Counter[tuple[str, str]] = Counter()
        for log in logs:
            if not log.exists():
                continue
            with log.open("rb") as file:
                file.seek(self._offsets.get(log, 0))
                for line in file:
                    if line.startswith(LINE_PREFIX.encode()):
                        _, event, group, *_ = line.decode("utf-8", "replace").split()
                        counts[event, group] += 1
        return counts
