"""Does the broker let this process in? A client would only say that it is not connected."""

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

LIMIT_SECONDS = 10.0
_REFUSED = (
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
    IllegalSaslStateError,
    ssl.SSLCertVerificationError,
)
"""What the same settings meet again at the next try."""


async def check_login(cluster: Cluster) -> None:
    """Log in to the first broker that answers, and leave.

    Raises `Invalid` when a broker refuses the login or its certificate is not trusted, `Transient`
    when none answers.
    """
    failure: Exception | None = None
    for address in cluster.bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                connection = await create_conn(
                    host.strip("[]"), int(port), **cluster.security_options()
                )
        except _REFUSED as error:
            user = f" (user {cluster.user})" if cluster.user else ""
            reason = f"the login to Kafka fails{user}: {type(error).__name__} {error}"
            raise Invalid(reason=reason) from error
        except (KafkaError, OSError, TimeoutError) as error:
            failure = error
        else:
            connection.close()
            return
    raise Transient(reason=f"no login: {type(failure).__name__} {failure}") from failure
