"""Generates the Kafka ACLs from the event catalogue and the services' reactions.

Kafka denies every operation without an ACL once its authorizer is enabled.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import IntEnum
from importlib import import_module

from shared.contracts.catalogue import PUBLISHERS


class Resource(IntEnum):
    """The kind of resource of an ACL; the numbers are those of the protocol."""

    TOPIC = 2
    GROUP = 3


class Pattern(IntEnum):
    """Whether the ACL's name is an exact name or a prefix."""

    LITERAL = 3
    PREFIXED = 4


class Operation(IntEnum):
    """The allowed operation. READ and WRITE include DESCRIBE."""

    READ = 3
    WRITE = 4
    CREATE = 5
    DESCRIBE = 8


@dataclass(frozen=True, order=True)
class Acl:
    """One ACL: this user may run this operation on this resource, from any host."""

    user: str
    resource: Resource
    name: str
    operation: Operation
    pattern: Pattern = Pattern.LITERAL


def topics_written(service: str) -> frozenset[str]:
    """Return the topics that a service writes: of its events, and of its dead letters."""
    return frozenset({fact.TOPIC for fact in PUBLISHERS[service]} | {f"dead.{service}"})


def topics_read(service: str) -> frozenset[str]:
    """Return the topics that an installed service's reactions read."""
    consumes = import_module(f"services.{service}.events").CONSUMES
    return frozenset(fact.TOPIC for reaction in consumes for fact in reaction.on)


def service_acls(service: str, user: str | None = None) -> frozenset[Acl]:
    """Return the ACLs that a service needs, for its user."""
    name = user or service
    entries = set(_reader_acls(name, service, topics_read(service)))
    for topic in topics_written(service):
        entries |= {
            Acl(name, Resource.TOPIC, topic, Operation.WRITE),
            Acl(name, Resource.TOPIC, topic, Operation.CREATE),
        }
    return frozenset(entries)


def subscriber_acls(name: str, topics: Collection[str]) -> frozenset[Acl]:
    """Return the ACLs to read these topics, in consumer groups named after the user."""
    return frozenset(_reader_acls(name, name, topics))


def _reader_acls(user: str, group: str, topics: Collection[str]) -> Iterator[Acl]:
    for topic in topics:
        yield Acl(user, Resource.TOPIC, topic, Operation.READ)
    yield Acl(user, Resource.GROUP, group, Operation.READ)
    # The dot keeps `my` out of the groups of `my-system`.
    yield Acl(user, Resource.GROUP, f"{group}.", Operation.READ, Pattern.PREFIXED)
