"""Two accounts of the same thing, key by key."""

from collections.abc import Iterator, Mapping

from tests.chaos.violation import Violation

MAX_DIFFERENCES = 50


def differences(
    invariant: str,
    name: str,
    stored: Mapping[str, object],
    recomputed: Mapping[str, object],
) -> Iterator[Violation]:
    """Return where they differ; a key that one of them lacks differs."""
    reported = 0
    for key in sorted(stored.keys() | recomputed.keys()):
        stored_value, recomputed_value = stored.get(key), recomputed.get(key)
        if stored_value == recomputed_value:
            continue
        reported += 1
        if reported > MAX_DIFFERENCES:
            return
        pair = f"stored {stored_value or 'nothing'}, recomputed {recomputed_value or 'nothing'}"
        yield Violation(invariant, key, f"{name}: {pair}")
