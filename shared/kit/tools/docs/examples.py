"""Examples of the documents: each fact in its envelope."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from shared.contracts import example_data
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

_EVENT_ID = EventId(UUID("01932b6e-4c00-7000-8000-000000000091"))


def example_envelope(fact: Fact) -> Envelope:
    """Return a fact's envelope, at noon of the story that all examples share."""
    return Envelope(
        id=_EVENT_ID,
        type=fact.wire_type(),
        source=f"/preau/{owner_of(type(fact))}",
        subject=str(value_at(fact, fact.SUBJECT)),
        time=example_data.NOON,
        tenant=example_data.TENANT,
        partitionkey=partition_key(example_data.TENANT, fact),
        sequence="0000000001",
        recordedtime=example_data.NOON + timedelta(milliseconds=4),
        correlationid=str(_EVENT_ID),
        data=encode_data(fact),
        dataschema=f"/schemas/{fact.wire_type()}",
    )


def example_json(fact: Fact) -> dict[str, Any]:
    """Return a fact in its envelope, as JSON types."""
    envelope: dict[str, Any] = json.loads(encode(example_envelope(fact)))
    return envelope
