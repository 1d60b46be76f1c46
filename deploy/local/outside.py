"""Servers that are already there: only asked whether they answer."""

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from deploy.local.errors import StackError
from deploy.local.kafka import serving_cluster

# The first with `transaction_timeout`.
OLDEST_POSTGRES = 17


async def kafka(bootstrap: str) -> str:
    """Give the bootstrap servers back if one of them serves a cluster."""
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        if await serving_cluster(host.strip("[]"), int(port)) is not None:
            return bootstrap
    message = f"No Kafka serves at {bootstrap}: start it, or check PREAU_KAFKA."
    raise StackError(message)


async def redis(url: str) -> str:
    """Give the URL back if a Redis answers there."""
    client = Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)
    try:
        await client.ping()
    except (RedisError, OSError) as error:
        message = f"Redis does not answer ({error}): start it, or check PREAU_REDIS."
        raise StackError(message) from error
    finally:
        await client.aclose()
    return url


async def postgres(url: str, oldest: int = OLDEST_POSTGRES) -> str:
    """Give the URL back if a PostgreSQL of this version or a newer one lets us in there."""
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        message = f"PostgreSQL does not let us in ({error}): start it, or check PREAU_POSTGRES."
        raise StackError(message) from error
    version = connection.get_server_version()
    await connection.close()
    if version.major < oldest:
        message = f"PostgreSQL {version.major} is too old: {oldest} or newer, see PREAU_POSTGRES."
        raise StackError(message)
    return url
