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
    told = 0
    for key in sorted(stored.keys() | recomputed.keys()):
        mine, theirs = stored.get(key), recomputed.get(key)
        if mine == theirs:
            continue
        told += 1
        if told > MAX_DIFFERENCES:
            return
        text = f"{name}: stored {mine or 'nothing'}, recomputed {theirs or 'nothing'}"
        yield Violation(invariant, key, text)
