"""Two consumers of one group, one killed or suspended: every event is applied once.

What metrics keeps of posts in a space that it does not know is a row each: it would show both a
loss and a repetition.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from uuid_utils.compat import uuid7

from shared.contracts.community import ContentKind, ContentRef, PostPublished
from shared.contracts.event import Envelope, encode, encode_data, partition_key
from shared.contracts.ids import ContentId, EventId, SpaceId, TenantId
from shared.kit.bus.kafka import Cluster
from tests.support.frozen_writer import ADVISORY_LOCK_ID
from tests.support.plain_clients import fetch_as_owner
from tests.support.programs import bound_to_parent
from tests.support.stack_process import REPOSITORY
from tests.system.conftest import Platform, free_port

pytestmark = [
    pytest.mark.system,
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.timeout(180),
]
GROUP = "metrics"
Record = tuple[bytes, bytes]


def make_posts(number: int, tenant: TenantId) -> list[Record]:
    """Build discussions of many keys, in a space that does not exist."""
    space, now, example = SpaceId(uuid7()), datetime.now(UTC), PostPublished.example()
    records = []
    for _ in range(number):
        content = ContentId(uuid7())
        fact = PostPublished(
            ref=ContentRef(kind=ContentKind.DISCUSSION, id=content, root_id=content),
            space_id=space,
            structure_id=example.structure_id,
            content=example.content,
        )
        envelope = Envelope(
            id=EventId(uuid7()),
            type=fact.wire_type(),
            source="/elsewhere",
            subject=str(content),
            time=now,
            tenant=tenant,
            partitionkey=partition_key(tenant, fact),
            sequence="0000000001",
            recordedtime=now,
            correlationid="deux lecteurs",
            data=encode_data(fact),
        )
        records.append((envelope.partitionkey.encode(), encode(envelope)))
    return records


async def produce(kafka: Cluster, records: Sequence[Record]) -> None:
    producer = AIOKafkaProducer(**kafka.client_options(), acks="all")
    await producer.start()
    try:
        sent = [await producer.send(PostPublished.TOPIC, v, key=k) for k, v in records]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def count_effects(platform: Platform, tenant: UUID) -> int:
    query = "SELECT count(*) AS n FROM held_back"
    (row,) = await fetch_as_owner(platform.addresses, GROUP, query, tenants=str(tenant))
    return int(row["n"])


async def count_members(platform: Platform) -> int:
    admin = AIOKafkaAdminClient(**platform.addresses.cluster().client_options())
    await admin.start()
    try:
        (response,) = await admin.describe_consumer_groups([GROUP])
        _, _, state, _, _, inside, *_ = response.groups[0]
        return len(inside) if state == "Stable" else 0
    finally:
        await admin.close()


async def wait_until(look: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not await look():  # noqa: ASYNC110  other processes work
            await asyncio.sleep(0.1)


@asynccontextmanager
async def second_member(platform: Platform) -> AsyncIterator[subprocess.Popen[bytes]]:
    """A pod that only reads, beside the reader in the platform; left when the group has both."""
    addresses = platform.addresses
    environment = {
        **os.environ,
        "PREAU_KAFKA": addresses.kafka,
        **addresses.kafka_variables(GROUP),
        "PREAU_PORT": str(free_port()),
        "PREAU_JWKS_URL": f"{platform.url}/identity/.well-known/jwks.json",
        "METRICS_DATABASE_URL": addresses.database_url(GROUP, "app"),
        "METRICS_RELAY_URL": addresses.database_url(GROUP, "relay"),
    }
    command = bound_to_parent(sys.executable, "-m", "shared.kit.runtime", GROUP, "--role", "worker")
    pod = subprocess.Popen(  # noqa: ASYNC220  it returns at once
        command, cwd=REPOSITORY, env=environment
    )
    try:

        async def both() -> bool:
            assert pod.poll() is None
            return await count_members(platform) == 2

        await wait_until(both)
        yield pod
    finally:
        if pod.poll() is None:
            pod.send_signal(signal.SIGCONT)
            pod.terminate()
        await asyncio.to_thread(pod.wait, 60)


async def wait_until_applied(platform: Platform) -> dict[str, int]:
    status = await asyncio.to_thread(platform.json, "status", "--wait")
    group: dict[str, int] = status["groups"][GROUP]
    parts = ("applied", "ignored", "duplicate", "parked", "dead_lettered", "lag")
    assert group["published"] == sum(group[name] for name in parts)
    return group


async def test_joining_and_leaving_consumer_applies_each_event_once(platform: Platform) -> None:
    counts_before, tenant = await wait_until_applied(platform), TenantId(uuid7())
    records = make_posts(600, tenant)
    kafka = platform.addresses.cluster()
    await produce(kafka, records[:200])
    async with second_member(platform) as pod:
        await produce(kafka, records[200:400])
    assert pod.returncode == 0
    await produce(kafka, records[400:])
    # A relay killed between sending and deleting sends these again.
    await produce(kafka, records[:50])

    counts_after = await wait_until_applied(platform)

    assert await count_effects(platform, tenant) == 600
    assert counts_after["applied"] - counts_before["applied"] == 600
    assert counts_after["duplicate"] - counts_before["duplicate"] == 50


async def test_killed_consumer_loses_and_repeats_nothing(platform: Platform) -> None:
    counts_before, tenant = await wait_until_applied(platform), TenantId(uuid7())
    records = make_posts(1200, tenant)
    async with second_member(platform) as pod:
        sending = asyncio.create_task(produce(platform.addresses.cluster(), records))

        async def some() -> bool:
            return await count_effects(platform, tenant) > 0

        await wait_until(some)
        pod.kill()
        done_at_the_kill = await count_effects(platform, tenant)
        await sending

    counts_after = await wait_until_applied(platform)

    assert done_at_the_kill < 1200
    assert await count_effects(platform, tenant) == 1200
    assert counts_after["applied"] - counts_before["applied"] == 1200


async def test_a_writer_frozen_in_the_middle_of_a_statement_frees_its_locks(
    platform: Platform,
) -> None:
    url = platform.addresses.database_url(GROUP, "app").replace("+asyncpg", "")
    writer = subprocess.Popen(  # noqa: ASYNC220  it returns at once
        bound_to_parent(sys.executable, "-m", "tests.support.frozen_writer", url),
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
    )
    connection = await asyncpg.connect(url)
    try:
        assert writer.stdout is not None
        assert await asyncio.to_thread(writer.stdout.readline) == b"stopped\n"
        assert not await connection.fetchval("SELECT pg_try_advisory_lock($1)", ADVISORY_LOCK_ID)

        await connection.execute("SELECT pg_advisory_lock($1)", ADVISORY_LOCK_ID, timeout=20)
    finally:
        writer.kill()
        writer.communicate()
        await connection.close()


async def test_consumer_suspended_past_its_session_applies_nothing_on_wake(
    platform: Platform,
) -> None:
    counts_before, tenant = await wait_until_applied(platform), TenantId(uuid7())
    records = make_posts(1200, tenant)
    async with second_member(platform) as pod:
        sending = asyncio.create_task(produce(platform.addresses.cluster(), records))

        async def some() -> bool:
            return await count_effects(platform, tenant) > 0

        await wait_until(some)
        pod.send_signal(signal.SIGSTOP)
        await sending

        async def all_of_them() -> bool:
            return await count_effects(platform, tenant) == 1200

        await wait_until(all_of_them)
        pod.send_signal(signal.SIGCONT)
        await produce(platform.addresses.cluster(), make_posts(100, tenant))
        counts_after = await wait_until_applied(platform)

    assert await count_effects(platform, tenant) == 1300
    assert counts_after["applied"] - counts_before["applied"] == 1300
