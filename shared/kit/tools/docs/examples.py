"""The examples of the documents: each fact in the envelope that it would travel in."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from shared.contracts import cast
from shared.contracts.catalogue import owner_of
from shared.contracts.event import (
    Envelope,
    Fact,
    encode,
    encode_data,
    partition_key,
    value_at,
)
from shared.contracts.ids import EventId

_EVENT = EventId(UUID("01932b6e-4c00-7000-8000-000000000091"))


def example_envelope(fact: Fact) -> Envelope:
    """Put a fact into an envelope, at noon of the story that all examples tell."""
    return Envelope(
        id=_EVENT,
        type=fact.wire_type(),
        source=f"/preau/{owner_of(type(fact))}",
        subject=str(value_at(fact, fact.SUBJECT)),
        time=cast.NOON,
        tenant=cast.TENANT,
        partitionkey=partition_key(cast.TENANT, fact),
        sequence="0000000001",
        recordedtime=cast.NOON + timedelta(milliseconds=4),
        correlationid=str(_EVENT),
        data=encode_data(fact),
        dataschema=f"/schemas/{fact.wire_type()}",
    )


def example_json(fact: Fact) -> dict[str, Any]:
    """Return the same as JSON's own types."""
    found: dict[str, Any] = json.loads(encode(example_envelope(fact)))
    return found
