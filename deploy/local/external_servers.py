"""Checks of existing servers that the stack uses but does not start."""

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from deploy.local.errors import StackError
from shared.kit.bus.kafka import Cluster
from shared.kit.bus.kafka.login import check_login
from shared.kit.core.errors import Invalid, Transient

# The first version with `transaction_timeout`.
MIN_POSTGRES_MAJOR = 17


async def check_kafka(cluster: Cluster) -> str:
    """Check the login to Kafka and return its bootstrap servers. Raises StackError."""
    try:
        await check_login(cluster)
    except Invalid as error:
        message = f"Kafka at {cluster.bootstrap}: {error.facts['reason']}: check PREAU_KAFKA_…."
        raise StackError(message) from error
    except Transient as error:
        message = f"No Kafka serves at {cluster.bootstrap}: start it, or check PREAU_KAFKA."
        raise StackError(message) from error
    return cluster.bootstrap


async def check_redis(url: str) -> str:
    """Check that Redis answers and return its URL. Raises StackError."""
    client = Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)
    try:
        await client.ping()
    except (RedisError, OSError) as error:
        message = f"Redis does not answer ({error}): start it, or check PREAU_REDIS."
        raise StackError(message) from error
    finally:
        await client.aclose()
    return url


async def check_postgres(url: str, min_major: int = MIN_POSTGRES_MAJOR) -> str:
    """Check the login and the version of PostgreSQL; return its URL. Raises StackError."""
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        message = f"PostgreSQL refuses the connection ({error}): start it, or check PREAU_POSTGRES."
        raise StackError(message) from error
    version = connection.get_server_version()
    await connection.close()
    if version.major < min_major:
        message = (
            f"PostgreSQL {version.major} is too old: {min_major} or newer, see PREAU_POSTGRES."
        )
        raise StackError(message)
    return url
