"""Decoding of records into deliveries; long batches yield to the event loop."""

import asyncio
import typing
from datetime import UTC, datetime
from uuid import UUID

import pytest

from shared.contracts.event import Envelope
from shared.contracts.ids import TenantId
from shared.kit.core.bus import IncomingRecord, Partition
from shared.kit.inbox import decode
from shared.kit.inbox.consumer import DECODE_SLICE_RECORDS
from shared.kit.inbox.decode import Decoded, IncomingEnvelope, Unreadable, decode_record
from tests.support.inbox_harness import PARTITIONS, TOPIC, InboxHarness

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
NOW = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)


def test_incoming_envelope_has_the_fields_of_the_contract() -> None:
    contract_fields, incoming_fields = (
        typing.get_type_hints(Envelope),
        typing.get_type_hints(IncomingEnvelope),
    )
    tenant = incoming_fields.pop("tenant"), contract_fields["tenant"]
    assert tenant == (str, TenantId)
    assert incoming_fields == {name: contract_fields[name] for name in incoming_fields}
    assert {name for name in contract_fields if name not in IncomingEnvelope.__struct_fields__} == {
        "dataschema",
        "specversion",
        "datacontenttype",
    }


async def _fetch_records(harness: InboxHarness) -> tuple[IncomingRecord, ...]:
    return tuple(
        await harness.fetch_from({Partition(TOPIC, number): 0 for number in range(PARTITIONS)})
    )


async def test_events_of_one_tenant_share_one_id_object(
    harness: InboxHarness,
) -> None:
    harness.publish("un", member=1)
    harness.publish("deux", member=2)
    first, second = (
        decode_record(record, harness.consumer().decoders, NOW)
        for record in await _fetch_records(harness)
    )
    assert isinstance(first, Decoded)
    assert isinstance(second, Decoded)
    assert first.delivery.tenant is second.delivery.tenant
    assert type(first.delivery.tenant) is UUID


@pytest.mark.parametrize("tenant", ["", "école", "01932b6e-4c00-7000-8000"])
async def test_record_with_invalid_tenant_is_unreadable(harness: InboxHarness, tenant: str) -> None:
    harness.publish("un")
    (record,) = await _fetch_records(harness)
    own = decode._decode_envelope(record.value or b"").tenant
    value = (record.value or b"").replace(own.encode(), tenant.encode())
    item = decode_record(
        IncomingRecord(record.partition, 0, record.key, value), harness.consumer().decoders, NOW
    )
    assert isinstance(item, Unreadable)


async def test_decoding_a_long_batch_yields_to_the_event_loop(harness: InboxHarness) -> None:
    for number in range(3 * DECODE_SLICE_RECORDS):
        harness.publish("é", member=number % 9)
    batch = await _fetch_records(harness)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    other_task = asyncio.create_task(other())
    await harness.consumer().prepare(batch)
    other_task.cancel()
    assert len(batch) == 3 * DECODE_SLICE_RECORDS
    assert turns > 0
