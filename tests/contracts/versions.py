"""Rules for the second version of a fact, so that it can be published and read as the other one."""

from collections.abc import Iterator

from shared.contracts import example_data
from shared.contracts.event import Fact, encode_data, partition_key, value_at


def find_version_errors(fact: type[Fact]) -> Iterator[str]:
    """Yield the errors of a version, as lines."""
    older = fact.PREVIOUS
    if older is None:
        if fact.VERSION != 1:
            yield f"version {fact.VERSION} names no version before it: set PREVIOUS"
        if fact.DUAL_PUBLISH:
            yield "DUAL_PUBLISH without PREVIOUS: there is no other version to publish"
        return
    if issubclass(fact, older) or issubclass(older, fact):
        yield f"it is a subclass of {older.__name__}: a reaction to one would receive the other"
    if (fact.WIRE, fact.TOPIC) != (older.WIRE, older.TOPIC):
        yield f"another name or topic than {older.__name__}: it is another fact, not a version"
    if fact.VERSION != older.VERSION + 1:
        yield f"version {fact.VERSION} follows {older.VERSION}"
    yield from _upcast_errors(fact, older)
    if fact.DUAL_PUBLISH:
        yield from _downcast_errors(fact, older)


def _upcast_errors(fact: type[Fact], older: type[Fact]) -> Iterator[str]:
    old = older.example()
    try:
        new = fact.upcast(old)
    except NotImplementedError:
        yield f"no upcast(): consumers of this version could not read {older.__name__} in the log"
        return
    if not isinstance(new, fact):
        yield f"upcast() returns a {type(new).__name__}"
    elif _address(new) != _address(old):
        yield "upcast() returns another key or subject"


def _downcast_errors(fact: type[Fact], older: type[Fact]) -> Iterator[str]:
    new = fact.example()
    try:
        old = new.downcast()
    except NotImplementedError:
        yield f"no downcast(): it could not be published as {older.__name__}"
        return
    if type(old) is not older:
        yield f"downcast() returns a {type(old).__name__}"
        return
    if _address(old) != _address(new):
        yield "downcast() returns another key or subject"
    round_trip = fact.upcast(old).downcast()
    if encode_data(round_trip) != encode_data(old):
        yield "upcast() and downcast() do not restore the older version"


def _address(fact: Fact) -> tuple[str, str]:
    return partition_key(example_data.TENANT, fact), str(value_at(fact, fact.SUBJECT))
