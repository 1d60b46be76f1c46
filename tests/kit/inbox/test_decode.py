"""From a record to a delivery, and what reading ahead leaves to others."""

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
    told, wanted = typing.get_type_hints(Envelope), typing.get_type_hints(IncomingEnvelope)
    tenant = wanted.pop("tenant"), told["tenant"]
    assert tenant == (str, TenantId)
    assert wanted == {name: told[name] for name in wanted}
    assert {name for name in told if name not in IncomingEnvelope.__struct_fields__} == {
        "dataschema",
        "specversion",
        "datacontenttype",
    }


async def _arrived(probe: InboxHarness) -> tuple[IncomingRecord, ...]:
    return tuple(
        await probe.fetch_from({Partition(TOPIC, number): 0 for number in range(PARTITIONS)})
    )


async def test_events_of_one_tenant_share_one_id_object(
    probe: InboxHarness,
) -> None:
    probe.publish("un", member=1)
    probe.publish("deux", member=2)
    first, second = (
        decode_record(record, probe.consumer().decoders, NOW) for record in await _arrived(probe)
    )
    assert isinstance(first, Decoded)
    assert isinstance(second, Decoded)
    assert first.delivery.tenant is second.delivery.tenant
    assert type(first.delivery.tenant) is UUID


@pytest.mark.parametrize("tenant", ["", "école", "01932b6e-4c00-7000-8000"])
async def test_record_with_invalid_tenant_is_unreadable(probe: InboxHarness, tenant: str) -> None:
    probe.publish("un")
    (record,) = await _arrived(probe)
    own = decode._decode_envelope(record.value or b"").tenant
    value = (record.value or b"").replace(own.encode(), tenant.encode())
    found = decode_record(
        IncomingRecord(record.partition, 0, record.key, value), probe.consumer().decoders, NOW
    )
    assert isinstance(found, Unreadable)


async def test_decoding_a_long_batch_yields_to_the_event_loop(probe: InboxHarness) -> None:
    for number in range(3 * DECODE_SLICE_RECORDS):
        probe.publish("é", member=number % 9)
    batch = await _arrived(probe)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = asyncio.create_task(other())
    await probe.consumer().prepare(batch)
    beside.cancel()
    assert len(batch) == 3 * DECODE_SLICE_RECORDS
    assert turns > 0
