"""The history of one key: its records, its table rows and its journal lines."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.local.platform import SERVICE_NAMES
from deploy.local.stack import StackAddresses
from shared.kit.bus.kafka import Cluster
from tests.chaos.raw_kafka import TOPICS
from tests.support.plain_clients import fetch_as_owner

MAX_LINE_CHARS = 400
"""Characters of a value that are shown."""
MAX_LINES = 60
"""Lines of each source that are shown."""
_TABLES = {
    "heads": "SELECT * FROM heads WHERE key = $1",
    "outbox": "SELECT position, topic, recorded FROM outbox WHERE key = $1 ORDER BY position",
    "parked": """
        SELECT topic, partition, "offset", event_id, state, attempts, next_try, cause
        FROM parked WHERE key = $1 ORDER BY topic, "offset"
    """,
}
_INBOX = "SELECT event_id FROM inbox WHERE event_id = ANY($1::uuid[])"


async def read_key_history(addresses: StackAddresses, key: str, journal: Path) -> list[str]:
    """Return the history as lines. `key` is a partition key, or an id that occurs in one."""
    lines = [f"history of {key}"]
    ids: list[str] = []
    for topic, partition, offset, value in await _records(addresses.cluster(), key):
        text = value.decode("utf-8", "replace")
        lines.append(f"  log {topic}/{partition}/{offset} {text[:MAX_LINE_CHARS]}")
        ids += _id_in(text)
    for service in SERVICE_NAMES:
        for name, query in _TABLES.items():
            rows = await fetch_as_owner(addresses, service, query, key)
            lines += [
                f"  {service}.{name} {dict(row)}"[:MAX_LINE_CHARS] for row in rows[:MAX_LINES]
            ]
        inbox_ids = {
            str(row["event_id"]) for row in await fetch_as_owner(addresses, service, _INBOX, ids)
        }
        if inbox_ids:
            lines.append(f"  {service}.inbox has {len(inbox_ids)} of {len(set(ids))} events of it")
    return (
        lines
        + [f"  journal {line[:MAX_LINE_CHARS]}" for line in _journal_lines(journal, key)][
            :MAX_LINES
        ]
    )


async def _records(kafka: Cluster, key: str) -> list[tuple[str, int, int, bytes]]:
    """Return the records with this key, from the whole log."""
    reader = AIOKafkaConsumer(**kafka.client_options(), enable_auto_commit=False, group_id=None)
    await reader.start()
    try:
        partitions = [TopicPartition(topic, number) for topic in TOPICS for number in range(8)]
        reader.assign(partitions)
        await reader.seek_to_beginning(*partitions)
        ends = await reader.end_offsets(partitions)
        records = []
        async with asyncio.timeout(120):
            while any(
                [await reader.position(partition) < ends[partition] for partition in partitions]
            ):
                for partition, records in (await reader.getmany(timeout_ms=300)).items():
                    records += [
                        (partition.topic, partition.partition, r.offset, r.value or b"")
                        for r in records
                        if r.key == key.encode()
                    ]
        return records[:MAX_LINES]
    finally:
        await reader.stop()


def _id_in(text: str) -> Iterator[str]:
    """Return the event id of an envelope, without a decoder that may be the culprit."""
    _, marker, tail = text.partition('"id":"')
    if marker:
        yield tail[:36]


def _journal_lines(journal: Path, key: str) -> Iterator[str]:
    words: Sequence[str] = [word for word in key.split(":")[-1:] if word]
    if journal.exists():
        for line in journal.read_text(encoding="utf-8", errors="replace").splitlines():
            if any(word in line for word in words):
                yield line
