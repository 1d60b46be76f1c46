"""What the documents say of a fact that there are two versions of."""

from collections.abc import Iterable

from shared.contracts.event import Fact


def next_of(fact: type[Fact], facts: Iterable[type[Fact]]) -> type[Fact] | None:
    """Find the version that follows this one."""
    return next((each for each in facts if each.PREVIOUS is fact), None)


def is_told(fact: type[Fact], facts: Iterable[type[Fact]]) -> bool:
    """Say whether it is still told; if not, only the log holds it."""
    newer = next_of(fact, facts)
    return newer is None or (newer.BESIDE and is_told(newer, facts))


def standing(fact: type[Fact], facts: Iterable[type[Fact]]) -> str:
    """Say what becomes of a version, in a few words; nothing of the newest."""
    newest = fact
    while newer := next_of(newest, facts):
        newest = newer
    if newest is fact:
        return ""
    if is_told(fact, facts):
        return f"on its way out: `{newest.wire_type()}` tells the same"
    return f"no longer told: `{newest.wire_type()}` is"


def told_of(fact: type[Fact], facts: Iterable[type[Fact]]) -> str:
    """Say it to a reader, with what there is to do."""
    stands, older = standing(fact, facts), fact.PREVIOUS
    if stands:
        doing = (
            "under the same event id: read one of them, and move to that one"
            if is_told(fact, facts)
            else "instead; the log holds what was told before that"
        )
        return f"**{stands.capitalize()}** {doing} (see `versions.md`)."
    if older is None:
        return ""
    beside = f"`{older.wire_type()}` tells the same under the same event id, as long as somebody"
    beside += " needs it: read one of them (see `versions.md`)."
    return beside if fact.BESIDE else f"`{older.wire_type()}` was told before it."
