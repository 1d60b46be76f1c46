"""The CPU time of a function on a pattern, at n and at 2n characters."""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

LONGEST = 60_000
"""Characters of the longest body; a test compares it with the one of community."""
MAX_CPU_SECONDS = 0.6
"""At the longest. The aim is 0.2 s on an idle machine; machines of CI are shared and slower."""
MAX_RATIO = 2.5
"""What is linear takes twice the time for twice the text; what is quadratic takes four times."""
_NOISE_SECONDS, _NOISE_SECONDS_AT_LONGEST = 0.01, 0.03
"""Under this, the ratio says more of the clock, the caches and the allocator than of the code."""
_RUNS = 12


@dataclass(frozen=True, slots=True)
class Measured:
    """CPU seconds at half of a length and at all of it."""

    half: float
    full: float
    length: int

    @property
    def faults(self) -> tuple[str, ...]:
        """Say which of the two bounds are broken."""
        faults = []
        noise = max(_NOISE_SECONDS, _NOISE_SECONDS_AT_LONGEST * self.length / LONGEST)
        if self.full > noise and self.full > MAX_RATIO * self.half:
            faults.append(f"{self.full / self.half:.1f} times the CPU for twice the text")
        if self.full > MAX_CPU_SECONDS * self.length / LONGEST and self.full > noise:
            faults.append(f"{self.full:.2f} s of CPU for {self.length} characters")
        return tuple(faults)


def text_of(pattern: str, length: int) -> str:
    """Repeat a pattern up to exactly this many characters."""
    return (pattern * (length // len(pattern) + 1))[:length]


def measure(function: Callable[[str], Callable[[], object]], pattern: str, length: int) -> Measured:
    """Measure what is ready; several times, and the least counts, where one run is over a bound."""
    halves, fulls = (function(text_of(pattern, size)) for size in (length // 2, length))
    half = _cpu(halves)
    if half > MAX_CPU_SECONDS:
        # Over the bound at half of the text: at all of it, a quadratic one would take minutes.
        return Measured(half / 2, half, length // 2)
    measured = Measured(half, _cpu(fulls), length)
    for _ in range(_RUNS):
        if not measured.faults:
            break
        half = min(measured.half, _cpu(halves))
        measured = Measured(half, min(measured.full, _cpu(fulls)), length)
    return measured


def _cpu(ready: Callable[[], object]) -> float:
    gc.disable()
    try:
        began = time.process_time()
        ready()
        return time.process_time() - began
    finally:
        gc.enable()
