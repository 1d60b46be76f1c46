"""Texts of the documents about facts that have two versions."""

from collections.abc import Iterable

from shared.contracts.event import Fact


def next_version(fact: type[Fact], facts: Iterable[type[Fact]]) -> type[Fact] | None:
    """Return the version after this one, if there is one."""
    return next((candidate for candidate in facts if candidate.PREVIOUS is fact), None)


def is_published(fact: type[Fact], facts: Iterable[type[Fact]]) -> bool:
    """Return whether a version is still published; otherwise only the log contains it."""
    newer = next_version(fact, facts)
    return newer is None or (newer.DUAL_PUBLISH and is_published(newer, facts))


def deprecation_note(fact: type[Fact], facts: Iterable[type[Fact]]) -> str:
    """Return a short note on a version that has a newer one; empty for the newest."""
    newest = fact
    while newer := next_version(newest, facts):
        newest = newer
    if newest is fact:
        return ""
    if is_published(fact, facts):
        return f"deprecated: `{newest.wire_type()}` has the same content"
    return f"no longer published: `{newest.wire_type()}` is"


def version_notice(fact: type[Fact], facts: Iterable[type[Fact]]) -> str:
    """Return a note for consumers that says which version to read."""
    note, older = deprecation_note(fact, facts), fact.PREVIOUS
    if note:
        advice = (
            "under the same event id: read only one of them, and change to the newer one"
            if is_published(fact, facts)
            else "instead; the log contains the older events"
        )
        return f"**{note.capitalize()}** {advice} (see `versions.md`)."
    if older is None:
        return ""
    notice = f"`{older.wire_type()}` is published under the same event id while a consumer"
    notice += " needs it: read only one of them (see `versions.md`)."
    return notice if fact.DUAL_PUBLISH else f"`{older.wire_type()}` was published before it."
