"""RedisClient on a server, and on addresses that do not respond."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from deploy.local.stack import StackAddresses
from shared.kit.redis.circuit_breaker import CircuitBreaker
from shared.kit.redis.client import MAX_CONNECTIONS, RedisClient, RedisUnavailable, open_redis
from tests.support.recorded_spans import record_telemetry

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.fixture
async def client(redis_addresses: StackAddresses) -> AsyncIterator[RedisClient]:
    connected_client = RedisClient(
        redis_addresses.redis, record_telemetry().telemetry, response_timeout_seconds=20
    )
    yield connected_client
    await connected_client.close()


async def test_commands_run_in_one_transaction_in_order(client: RedisClient) -> None:
    key = uuid4().hex

    replies = await client.run(lambda r: (r.incrby(key, 3), r.expire(key, 60), r.get(key)))

    assert replies == [3, True, b"3"]
    assert client.failure_reason() is None


async def test_concurrent_calls_share_few_connections(client: RedisClient) -> None:
    key = uuid4().hex

    replies = await asyncio.gather(*(client.run(lambda r: r.incr(key)) for _ in range(200)))

    assert sorted(count for (count,) in replies) == list(range(1, 201))


async def test_a_call_without_free_connection_fails_and_opens_no_circuit(
    redis_addresses: StackAddresses,
) -> None:
    client = RedisClient(
        redis_addresses.redis, record_telemetry().telemetry, response_timeout_seconds=0.01
    )
    for _ in range(MAX_CONNECTIONS):  # all connections are in use
        await client._permits.acquire()

    for _ in range(5):
        with pytest.raises(RedisUnavailable, match="busy"):
            await client.run(lambda redis: redis.incr("n"))

    assert client.failure_reason() is None
    await client.close()


async def test_a_refused_write_raises_unavailable(client: RedisClient) -> None:
    key = uuid4().hex
    await client.run(lambda redis: redis.set(key, "no number"))

    with pytest.raises(RedisUnavailable, match="ResponseError"):
        await client.run(lambda redis: redis.incr(key))


async def test_an_absent_server_is_called_three_times_then_after_a_pause() -> None:
    telemetry, clock = record_telemetry(), [0.0]
    breaker = CircuitBreaker(pause=5, monotonic=lambda: clock[0])
    client = RedisClient("redis://127.0.0.1:1/0", telemetry.telemetry, breaker)
    for _ in range(5):
        with pytest.raises(RedisUnavailable):
            await client.run(lambda redis: redis.incr("n"))

    assert client.failure_reason() == "ConnectionError"
    assert "preau_redis_away_ratio" in telemetry.metrics_page
    assert not breaker.allows_call()
    await client.close()


async def test_an_unresponsive_server_delays_three_calls_only() -> None:
    connections: list[asyncio.StreamWriter] = []

    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = RedisClient(f"redis://:secret@127.0.0.1:{port}/0", record_telemetry().telemetry)
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(RedisUnavailable):
            await client.run(lambda redis: redis.incr("n"))

    # Three tries, not twenty; the bound leaves room for a busy machine.
    assert len(connections) == 3
    assert time.monotonic() - began < 10
    await client.close()
    for writer in connections:
        writer.close()
    server.close()
    await server.wait_closed()


def test_without_an_address_there_is_no_client() -> None:
    assert open_redis("", record_telemetry().telemetry) is None
    assert open_redis(None, record_telemetry().telemetry) is None
