"""A Redis client with short timeouts: it answers soon or raises `RedisUnavailable`."""

import asyncio
from collections.abc import Callable
from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from shared.kit.core.host import Telemetry
from shared.kit.redis.circuit_breaker import CircuitBreaker
from shared.kit.telemetry.logs import get_logger

log = get_logger("redis")
RESPONSE_TIMEOUT_SECONDS = 0.1
CONNECT_TIMEOUT_SECONDS = 0.25
MAX_CONNECTIONS = 16
Commands = Callable[[Pipeline], object]
"""Queues plain commands on a pipeline; scripts are refused by the server's access list."""


class RedisUnavailable(Exception):
    """Redis does not answer, refuses to write, or was not asked because it did not before."""


class RedisClient:
    """Runs transactions of plain commands; safe for many tasks at once, closed by its service."""

    def __init__(
        self,
        url: str,
        telemetry: Telemetry,
        breaker: CircuitBreaker | None = None,
        *,
        response_timeout_seconds: float = RESPONSE_TIMEOUT_SECONDS,
    ) -> None:
        """Describe the client; nothing is connected before the first transaction."""
        self._telemetry, self._breaker = telemetry, breaker or CircuitBreaker()
        self._seconds, self._free = response_timeout_seconds, asyncio.Semaphore(MAX_CONNECTIONS)
        self._reason: str | None = None
        # RESP2 and no driver information: a connection sends AUTH and nothing else.
        self._pool: ConnectionPool = ConnectionPool.from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            socket_timeout=response_timeout_seconds,
            socket_connect_timeout=max(CONNECT_TIMEOUT_SECONDS, response_timeout_seconds),
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            driver_info=None,
        )
        self._redis: Redis = Redis(connection_pool=self._pool)

    def failure_reason(self) -> str | None:
        """Say why Redis is not asked at present; None while it answers."""
        return self._reason

    async def run(self, commands: Commands) -> list[Any]:
        """Run commands in one MULTI/EXEC, all or none, and give their answers in order.

        Raises `RedisUnavailable` within half a second or so: also when so many wait for a
        connection that none is free in time, which is no failure of Redis.
        """
        try:
            async with asyncio.timeout(self._seconds):
                await self._free.acquire()
        except TimeoutError as error:
            raise RedisUnavailable("busy") from error
        try:
            return await self._run(commands)
        finally:
            self._free.release()

    async def _run(self, commands: Commands) -> list[Any]:
        if not self._breaker.allows_call():
            raise RedisUnavailable(self._reason)
        try:
            async with self._redis.pipeline(transaction=True) as pipeline:
                commands(pipeline)
                answers: list[Any] = await pipeline.execute()
        except (RedisError, OSError) as error:
            self._record_failure(error)
            raise RedisUnavailable(type(error).__name__) from error
        self._record_success()
        return answers

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.aclose()
        await self._pool.disconnect()

    def _record_failure(self, error: Exception) -> None:
        self._breaker.record_failure()
        if self._breaker.is_open and self._reason is None:
            self._reason = type(error).__name__
            self._telemetry.gauge("preau.redis.away", 1)
            # The text of an error may hold the address.
            log.warning("redis is away: limits are counted in this process", error=self._reason)

    def _record_success(self) -> None:
        self._breaker.record_success()
        if self._reason is not None:
            self._reason = None
            log.warning("redis answers again")
        self._telemetry.gauge("preau.redis.away", 0)


def open_redis(url: str | None, telemetry: Telemetry) -> RedisClient | None:
    """Describe the client of a service; None, and one line in the log, without an address."""
    if not url:
        log.warning("no PREAU_REDIS_URL: limits are counted in this process only")
        return None
    return RedisClient(url, telemetry)
