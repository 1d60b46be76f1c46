"""A Redis client with short timeouts: it responds within about half a second, or raises."""

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
"""Queues plain commands on a pipeline; the server's ACL refuses scripts."""


class RedisUnavailable(Exception):
    """Redis does not respond, refuses the write, or is not called while the circuit is open."""


class RedisClient:
    """Runs transactions of plain commands; safe for concurrent tasks. The service closes it."""

    def __init__(
        self,
        url: str,
        telemetry: Telemetry,
        breaker: CircuitBreaker | None = None,
        *,
        response_timeout_seconds: float = RESPONSE_TIMEOUT_SECONDS,
    ) -> None:
        """Configure the client; it connects at the first transaction."""
        self._telemetry, self._breaker = telemetry, breaker or CircuitBreaker()
        self._response_timeout_seconds = response_timeout_seconds
        self._permits = asyncio.Semaphore(MAX_CONNECTIONS)
        self._failure_reason: str | None = None
        # RESP2 and no driver information: a new connection sends AUTH and nothing else.
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
        """Return why the circuit is open; None while Redis is available."""
        return self._failure_reason

    async def run(self, commands: Commands) -> list[Any]:
        """Run commands in one MULTI/EXEC, all or none, and return their replies in order.

        Raises `RedisUnavailable` within about half a second. That includes a call for which no
        connection becomes free in time, which is no failure of Redis and opens no circuit.
        """
        try:
            async with asyncio.timeout(self._response_timeout_seconds):
                await self._permits.acquire()
        except TimeoutError as error:
            raise RedisUnavailable("busy") from error
        try:
            return await self._run(commands)
        finally:
            self._permits.release()

    async def _run(self, commands: Commands) -> list[Any]:
        if not self._breaker.allows_call():
            raise RedisUnavailable(self._failure_reason)
        try:
            async with self._redis.pipeline(transaction=True) as pipeline:
                commands(pipeline)
                replies: list[Any] = await pipeline.execute()
        except (RedisError, OSError) as error:
            self._record_failure(error)
            raise RedisUnavailable(type(error).__name__) from error
        self._record_success()
        return replies

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
        await self._pool.disconnect()

    def _record_failure(self, error: Exception) -> None:
        self._breaker.record_failure()
        if self._breaker.is_open and self._failure_reason is None:
            # Only its type: an error's text may contain the address.
            self._failure_reason = type(error).__name__
            self._telemetry.gauge("preau.redis.away", 1)
            log.warning(
                "redis is unavailable: limits are counted in this process",
                error=self._failure_reason,
            )

    def _record_success(self) -> None:
        self._breaker.record_success()
        if self._failure_reason is not None:
            self._failure_reason = None
            log.warning("redis is available again")
        self._telemetry.gauge("preau.redis.away", 0)


def open_redis(url: str | None, telemetry: Telemetry) -> RedisClient | None:
    """Return a service's client; without an address, log that and return None."""
    if not url:
        log.warning("no PREAU_REDIS_URL: limits are counted in this process only")
        return None
    return RedisClient(url, telemetry)
