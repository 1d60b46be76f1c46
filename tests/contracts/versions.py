"""What a fact's second version must be, so that one can be told and read as the other."""

from collections.abc import Iterator

from shared.contracts import cast
from shared.contracts.event import Fact, encode_data, partition_key, value_at


def find_version_errors(fact: type[Fact]) -> Iterator[str]:
    """Yield what is wrong with a version, as a line; nothing for a first one that stands alone."""
    older = fact.PREVIOUS
    if older is None:
        if fact.VERSION != 1:
            yield f"version {fact.VERSION} names none before it: set PREVIOUS"
        if fact.DUAL_PUBLISH:
            yield "there is none that it could be told beside: BESIDE without PREVIOUS"
        return
    if issubclass(fact, older) or issubclass(older, fact):
        yield f"it is a kind of {older.__name__}: a reaction to one would take the other"
    if (fact.WIRE, fact.TOPIC) != (older.WIRE, older.TOPIC):
        yield f"another name or topic than {older.__name__}: that is another fact, not a version"
    if fact.VERSION != older.VERSION + 1:
        yield f"version {fact.VERSION} comes after {older.VERSION}"
    yield from _lifted(fact, older)
    if fact.DUAL_PUBLISH:
        yield from _told(fact, older)


def _lifted(fact: type[Fact], older: type[Fact]) -> Iterator[str]:
    old = older.example()
    try:
        new = fact.upcast(old)
    except NotImplementedError:
        yield f"no following(): who moves could not read what the log holds of {older.__name__}"
        return
    if not isinstance(new, fact):
        yield f"following() gives a {type(new).__name__}"
    elif _address(new) != _address(old):
        yield "following() gives another key or subject"


def _told(fact: type[Fact], older: type[Fact]) -> Iterator[str]:
    new = fact.example()
    try:
        old = new.downcast()
    except NotImplementedError:
        yield f"no previous(): it could not be told as {older.__name__}"
        return
    if type(old) is not older:
        yield f"previous() gives a {type(old).__name__}"
        return
    if _address(old) != _address(new):
        yield "previous() gives another key or subject"
    again = fact.upcast(old).downcast()
    if encode_data(again) != encode_data(old):
        yield "what was told as the older one does not come back from the newer one"


def _address(fact: Fact) -> tuple[str, str]:
    return partition_key(cast.TENANT, fact), str(value_at(fact, fact.SUBJECT))
