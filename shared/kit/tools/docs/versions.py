"""What the documents say of a fact that there are two versions of."""

from collections.abc import Iterable

from shared.contracts.event import Fact


def next_version(fact: type[Fact], facts: Iterable[type[Fact]]) -> type[Fact] | None:
    """Find the version that follows this one."""
    return next((each for each in facts if each.PREVIOUS is fact), None)


def is_published(fact: type[Fact], facts: Iterable[type[Fact]]) -> bool:
    """Return whether it is still told; if not, only the log holds it."""
    newer = next_version(fact, facts)
    return newer is None or (newer.DUAL_PUBLISH and is_published(newer, facts))


def deprecation_note(fact: type[Fact], facts: Iterable[type[Fact]]) -> str:
    """Return what becomes of a version, in a few words; nothing of the newest."""
    newest = fact
    while newer := next_version(newest, facts):
        newest = newer
    if newest is fact:
        return ""
    if is_published(fact, facts):
        return f"on its way out: `{newest.wire_type()}` tells the same"
    return f"no longer told: `{newest.wire_type()}` is"


def version_notice(fact: type[Fact], facts: Iterable[type[Fact]]) -> str:
    """Say it to a reader, with what there is to do."""
    stands, older = deprecation_note(fact, facts), fact.PREVIOUS
    if stands:
        doing = (
            "under the same event id: read one of them, and move to that one"
            if is_published(fact, facts)
            else "instead; the log holds what was told before that"
        )
        return f"**{stands.capitalize()}** {doing} (see `versions.md`)."
    if older is None:
        return ""
    beside = f"`{older.wire_type()}` tells the same under the same event id, as long as somebody"
    beside += " needs it: read one of them (see `versions.md`)."
    return beside if fact.DUAL_PUBLISH else f"`{older.wire_type()}` was told before it."
