"""EVENTS: the closed list of what may cross the wire."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import msgspec

from shared.contracts import community, identity, metrics, moderation, notifications
from shared.contracts.event import Fact

PUBLISHERS: Mapping[str, tuple[type[Fact], ...]] = MappingProxyType(
    {
        "identity": identity.PUBLISHES,
        "community": community.PUBLISHES,
        "moderation": moderation.PUBLISHES,
        "notifications": notifications.PUBLISHES,
        "metrics": metrics.PUBLISHES,
    }
)

EVENTS: Mapping[str, type[Fact]] = MappingProxyType(
    {fact.wire_type(): fact for facts in PUBLISHERS.values() for fact in facts}
)

TOPICS: tuple[str, ...] = tuple(sorted({fact.TOPIC for fact in EVENTS.values()}))


def owner_of(fact: type[Fact]) -> str:
    """Name the one service that publishes this fact."""
    return fact.WIRE.split(".", 1)[0]


@cache
def decoder_of(fact: type[Fact]) -> msgspec.json.Decoder[Fact]:
    """Give the decoder of a fact's data, made once."""
    return msgspec.json.Decoder(fact)
