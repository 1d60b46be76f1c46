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

    _read: dict[Path, int] = field(default_factory=dict)

    def skip_to_end(self, logs: Iterable[Path]) -> None:
        """Begin at their ends."""
        self._read |= {log: log.stat().st_size for log in logs if log.exists()}

    def count(self, logs: Iterable[Path]) -> Counter[tuple[str, str]]:
        """Count the lines since then, by what and whose."""
        found: Counter[tuple[str, str]] = Counter()
        for log in logs:
            if not log.exists():
                continue
            with log.open("rb") as file:
                file.seek(self._read.get(log, 0))
                for line in file:
                    if line.startswith(LINE_PREFIX.encode()):
                        _, what, whose, *_ = line.decode("utf-8", "replace").split()
                        found[what, whose] += 1
        return found
