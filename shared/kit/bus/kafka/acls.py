"""Which Kafka user may do what: generated from the catalogue of facts and the reactions to them.

Kafka denies whatever no entry allows, once its authorizer is switched on.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import IntEnum
from importlib import import_module

from shared.contracts.catalogue import PUBLISHERS


class Resource(IntEnum):
    """What an entry is about; the numbers are those of the protocol."""

    TOPIC = 2
    GROUP = 3


class Pattern(IntEnum):
    """Whether the name is meant as it is, or as the beginning of names."""

    LITERAL = 3
    PREFIXED = 4


class Operation(IntEnum):
    """What is allowed. READ and WRITE include DESCRIBE."""

    READ = 3
    WRITE = 4
    CREATE = 5
    DESCRIBE = 8


@dataclass(frozen=True, order=True)
class Acl:
    """One entry: this user may do this, from any host."""

    user: str
    resource: Resource
    name: str
    operation: Operation
    pattern: Pattern = Pattern.LITERAL


def topics_written(service: str) -> frozenset[str]:
    """Name the topics of a service: those of its facts, and that of its group's dead letters."""
    return frozenset({fact.TOPIC for fact in PUBLISHERS[service]} | {f"dead.{service}"})


def topics_read(service: str) -> frozenset[str]:
    """Name the topics that an installed service's reactions read."""
    consumes = import_module(f"services.{service}.events").CONSUMES
    return frozenset(fact.TOPIC for reaction in consumes for fact in reaction.on)


def service_acls(service: str, user: str | None = None) -> frozenset[Acl]:
    """Allow a service's user what the service does, and nothing else."""
    name = user or service
    entries = set(_reader(name, service, topics_read(service)))
    for topic in topics_written(service):
        entries |= {
            Acl(name, Resource.TOPIC, topic, Operation.WRITE),
            Acl(name, Resource.TOPIC, topic, Operation.CREATE),
        }
    return frozenset(entries)


def subscriber_acls(name: str, topics: Collection[str]) -> frozenset[Acl]:
    """Allow another system to read these topics, in groups of its own name."""
    return frozenset(_reader(name, name, topics))


def _reader(user: str, group: str, topics: Collection[str]) -> Iterator[Acl]:
    for topic in topics:
        yield Acl(user, Resource.TOPIC, topic, Operation.READ)
    yield Acl(user, Resource.GROUP, group, Operation.READ)
    # The dot keeps `my` out of the groups of `my-system`.
    yield Acl(user, Resource.GROUP, f"{group}.", Operation.READ, Pattern.PREFIXED)
