"""Manages subscribers: other systems, each a Kafka user with read access to certain topics."""

import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from shared.contracts.catalogue import EVENTS, PUBLISHERS, TOPICS
from shared.contracts.event import DataSensitivity
from shared.kit.bus.kafka.access import Access
from shared.kit.bus.kafka.acls import Acl, Operation, Resource, subscriber_acls
from shared.kit.core.errors import PreauError

PERSONAL_TOPICS = frozenset(
    fact.TOPIC for fact in EVENTS.values() if fact.DATA is DataSensitivity.PERSONAL
)
RESERVED_NAMES = frozenset({*PUBLISHERS, "admin", "broker", "operator", "dead", "preau"})
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_PASSWORD_BYTES = 24


class RefusedSubscriber(PreauError):
    """A subscriber cannot be created or removed; `reason` says why, and what to do."""

    key = "subscriber_refused"

    def __str__(self) -> str:
        return str(self.facts["reason"])


@dataclass(frozen=True, order=True)
class Subscriber:
    """Another system and the topics that it may read."""

    name: str
    topics: tuple[str, ...]


def check_request(name: str, topics: Collection[str], *, personal_data: bool) -> None:
    """Check the name and topics of a new subscriber. Raises `RefusedSubscriber`."""
    check_name(name)
    unknown = sorted(set(topics) - set(TOPICS))
    if unknown or not topics:
        fault = f"no such topic: {', '.join(unknown)}" if unknown else "no topic is named"
        raise RefusedSubscriber(reason=f"{fault}. Known: {', '.join(TOPICS)}")
    personal = sorted(PERSONAL_TOPICS & set(topics))
    if personal and not personal_data:
        reason = (
            f"{', '.join(personal)} holds personal data: say --personal-data if NAME may have it"
        )
        raise RefusedSubscriber(reason=reason.replace("NAME", name))


def check_name(name: str) -> None:
    """Check the name of a subscriber. Raises `RefusedSubscriber` if invalid or reserved."""
    if not _NAME.fullmatch(name):
        reason = f"{name!r} is no name: small letters, digits and dashes, a letter first"
        raise RefusedSubscriber(reason=reason)
    if name in RESERVED_NAMES:
        raise RefusedSubscriber(reason=f"{name} is a user of the platform: choose another name")


async def add_subscriber(access: Access, name: str, topics: Collection[str]) -> str:
    """Create the user and its ACLs; return its password, which is not stored.

    Raises `RefusedSubscriber` when the user exists.
    """
    if name in await access.users() or await access.entries(name):
        reason = f"there is a user {name}: `preau subscribers remove {name}` first"
        raise RefusedSubscriber(reason=reason)
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    await access.set_passwords({name: password})
    await access.allow(subscriber_acls(name, topics))
    return password


async def list_subscribers(access: Access) -> Sequence[Subscriber]:
    """List the subscribers that `add_subscriber` created, by name."""
    entries = await access.entries()
    names = {entry.user for entry in entries if _is_group_of_user(entry)} - RESERVED_NAMES
    return [Subscriber(name, _topics(entries, name)) for name in sorted(names)]


async def remove_subscriber(access: Access, name: str) -> None:
    """Remove a subscriber's password and ACLs; open connections lose access at once.

    Raises `RefusedSubscriber` when it does not exist.
    """
    check_name(name)
    entries = await access.entries(name)
    if not any(map(_is_group_of_user, entries)):
        raise RefusedSubscriber(reason=f"there is no subscriber {name}")
    await access.remove_user(name)


def _is_group_of_user(entry: Acl) -> bool:
    return entry.resource is Resource.GROUP and entry.name == entry.user


def _topics(entries: Collection[Acl], name: str) -> tuple[str, ...]:
    readable = {
        entry.name
        for entry in entries
        if (entry.user, entry.resource, entry.operation) == (name, Resource.TOPIC, Operation.READ)
    }
    return tuple(sorted(readable))
