"""The same servers as containers, on request: started through testcontainers, removed at the end."""

from typing import Protocol

from deploy.local.errors import StackError

POSTGRES = "postgres:18"
REDIS = "redis:7"
KAFKA = "apache/kafka-native:4.1.0"


class _Container(Protocol):
    def stop(self) -> None: ...


class Containers:
    """The containers of one stack. Blocking; call from a thread."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._started: list[_Container] = []

    def kafka(self) -> str:
        """Start Apache Kafka and give its bootstrap address."""
        from testcontainers.kafka import KafkaContainer  # noqa: PLC0415  only when asked for

        container = self._start(lambda: KafkaContainer(KAFKA).with_kraft().start())
        return str(container.get_bootstrap_server())

    def postgres(self) -> str:
        """Start PostgreSQL and give the administrator's URL."""
        from testcontainers.postgres import PostgresContainer  # noqa: PLC0415  only when asked for

        container = self._start(lambda: PostgresContainer(POSTGRES, driver=None).start())
        return str(container.get_connection_url())

    def redis(self) -> str:
        """Start Redis and give its URL."""
        from testcontainers.redis import RedisContainer  # noqa: PLC0415  only when asked for

        container = self._start(lambda: RedisContainer(REDIS).start())
        host, port = container.get_container_host_ip(), container.get_exposed_port(6379)
        return f"redis://{host}:{port}/0"

    def stop(self) -> None:
        """Remove what was started."""
        while self._started:
            self._started.pop().stop()

    def _start(self, start):  # type: ignore[no-untyped-def]  # testcontainers is untyped
        try:
            container = start()
        except Exception as error:
            message = (
                f"No container engine answers here ({type(error).__name__}): start Docker, or "
                "leave PREAU_KAFKA, PREAU_POSTGRES and PREAU_REDIS at `embedded`."
            )
            raise StackError(message) from error
        self._started.append(container)
        return container
