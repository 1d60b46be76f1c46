"""EVENTS: the closed list of facts that may be published."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import msgspec

from shared.contracts import audit, community, identity, metrics, moderation, notifications
from shared.contracts.event import Fact

PUBLISHERS: Mapping[str, tuple[type[Fact], ...]] = MappingProxyType(
    {
        "identity": (*identity.PUBLISHES, audit.IdentityAuditSealed),
        "community": (*community.PUBLISHES, audit.CommunityAuditSealed),
        "moderation": (*moderation.PUBLISHES, audit.ModerationAuditSealed),
        "notifications": (*notifications.PUBLISHES, audit.NotificationsAuditSealed),
        "metrics": (*metrics.PUBLISHES, audit.MetricsAuditSealed),
    }
)

EVENTS: Mapping[str, type[Fact]] = MappingProxyType(
    {fact.wire_type(): fact for facts in PUBLISHERS.values() for fact in facts}
)

TOPICS: tuple[str, ...] = tuple(sorted({fact.TOPIC for fact in EVENTS.values()}))


def owner_of(fact: type[Fact]) -> str:
    """Return the service that publishes this fact."""
    return fact.WIRE.split(".", 1)[0]


@cache
def decoder_of(fact: type[Fact]) -> msgspec.json.Decoder[Fact]:
    """Return the decoder of a fact's data (cached)."""
    return msgspec.json.Decoder(fact)


def audit_fact(service: str) -> type[audit.AuditSealed]:
    """Return the fact with which a service publishes the ends of its audit chains."""
    facts = PUBLISHERS[service]
    return next(fact for fact in facts if issubclass(fact, audit.AuditSealed))
