"""CPU time of a function on a pattern, at n and at 2n characters."""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

MAX_TEXT_CHARACTERS = 60_000
"""Characters of the longest body; a test compares it with the one of community."""
MAX_CPU_SECONDS = 0.6
"""On the longest text. The aim is 0.2 s on an idle machine; CI machines are shared and slower."""
MAX_RATIO = 2.5
"""Of the time for n and 2n characters: linear functions have a ratio of 2, quadratic ones of 4."""
_NOISE_SECONDS, _NOISE_SECONDS_AT_LONGEST = 0.01, 0.03
"""Below this, clock, caches and allocator dominate the ratio."""
_RUNS = 12


@dataclass(frozen=True, slots=True)
class CpuMeasurement:
    """CPU seconds on half of a length and on all of it."""

    half_seconds: float
    full_seconds: float
    length: int

    @property
    def violations(self) -> tuple[str, ...]:
        """Return the violated bounds, as messages."""
        faults = []
        noise = max(_NOISE_SECONDS, _NOISE_SECONDS_AT_LONGEST * self.length / MAX_TEXT_CHARACTERS)
        if self.full_seconds > noise and self.full_seconds > MAX_RATIO * self.half_seconds:
            faults.append(
                f"{self.full_seconds / self.half_seconds:.1f} times the CPU for twice the text"
            )
        if (
            self.full_seconds > MAX_CPU_SECONDS * self.length / MAX_TEXT_CHARACTERS
            and self.full_seconds > noise
        ):
            faults.append(f"{self.full_seconds:.2f} s of CPU for {self.length} characters")
        return tuple(faults)


def repeat_pattern(pattern: str, length: int) -> str:
    """Repeat a pattern up to exactly this many characters."""
    return (pattern * (length // len(pattern) + 1))[:length]


def measure(
    function: Callable[[str], Callable[[], object]], pattern: str, length: int
) -> CpuMeasurement:
    """Measure a function; if a bound is violated, repeat it and keep the minimum."""
    halves, fulls = (function(repeat_pattern(pattern, size)) for size in (length // 2, length))
    half = _cpu(halves)
    if half > MAX_CPU_SECONDS:
        # Over the bound on half of the text: on all of it, a quadratic function would take minutes.
        return CpuMeasurement(half / 2, half, length // 2)
    measured = CpuMeasurement(half, _cpu(fulls), length)
    for _ in range(_RUNS):
        if not measured.violations:
            break
        half = min(measured.half_seconds, _cpu(halves))
        measured = CpuMeasurement(half, min(measured.full_seconds, _cpu(fulls)), length)
    return measured


def _cpu(ready: Callable[[], object]) -> float:
    gc.disable()
    try:
        began = time.process_time()
        ready()
        return time.process_time() - began
    finally:
        gc.enable()
