"""Checks the login to Kafka at start: a client's own error only says that it is not connected."""

import asyncio
import ssl

from aiokafka.conn import create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from shared.kit.bus.kafka.cluster import Cluster
from shared.kit.core.errors import Invalid, Transient

LOGIN_TIMEOUT_SECONDS = 10.0
_PERMANENT_ERRORS = (
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
    IllegalSaslStateError,
    ssl.SSLCertVerificationError,
)
"""Errors that the same settings would cause again at the next attempt."""


async def check_login(cluster: Cluster) -> None:
    """Log in to the first broker that answers, then disconnect.

    Raises `Invalid` when a broker refuses the login or its certificate is not trusted, `Transient`
    when no broker answers.
    """
    failure: Exception | None = None
    for address in cluster.bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            async with asyncio.timeout(LOGIN_TIMEOUT_SECONDS):
                connection = await create_conn(
                    host.strip("[]"), int(port), **cluster.security_options()
                )
        except _PERMANENT_ERRORS as error:
            user = f" (user {cluster.user})" if cluster.user else ""
            reason = f"the login to Kafka fails{user}: {type(error).__name__} {error}"
            raise Invalid(internal_reason=reason) from error
        except (KafkaError, OSError, TimeoutError) as error:
            failure = error
        else:
            connection.close()
            return
    raise Transient(internal_reason=f"no login: {type(failure).__name__} {failure}") from failure
