"""The same servers as containers: started by testcontainers, removed at the stack's stop."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from testcontainers.core.container import DockerContainer

from deploy.local import kafka_users, valkey
from deploy.local.errors import StackError
from deploy.local.home import find_free_port
from deploy.local.kafka import BROKER_SETTINGS

POSTGRES = "postgres:18"
VALKEY = "valkey/valkey:9"
KAFKA = "apache/kafka:4.3.1"
KAFKA_PORT, CONTROLLER_PORT = 9092, 9093
VALKEY_PORT = 6379


class Containers:
    """The containers of one stack. Every method blocks: call it from a thread.

    A returned address belongs to a started server, which may not be ready yet.
    """

    def __init__(self) -> None:
        """Start nothing yet."""
        self._started: list[DockerContainer] = []
        # A cancelled start must finish before the stop removes its container.
        self._start_lock = threading.Lock()

    def start_kafka(self, passwords: Mapping[str, str]) -> str:
        """Start Apache Kafka and give its bootstrap address."""
        # The broker advertises its address to clients, so the port is chosen before the start.
        port = find_free_port()
        with self._starting():
            container = DockerContainer(KAFKA).with_bind_ports(KAFKA_PORT, port)
            address = f"{container.get_container_host_ip()}:{port}"
            self._start(container.with_envs(**kafka_environment(address, passwords)))
            return address

    def start_postgres(self, user: str, password: str) -> str:
        """Start PostgreSQL and give its administrator's URL."""
        environment = {
            "POSTGRES_USER": user,
            "POSTGRES_PASSWORD": password,
            "POSTGRES_DB": "postgres",
        }
        with self._starting():
            container = DockerContainer(POSTGRES).with_exposed_ports(5432).with_envs(**environment)
            self._start(container)
            return f"postgresql://{user}:{password}@{_published_address(container, 5432)}/postgres"

    def start_redis(self, passwords: Mapping[str, str]) -> str:
        """Start Valkey with the users of the embedded one; return the URL of the services' user."""
        settings = valkey.configuration("* -::*", VALKEY_PORT, passwords, durable=True)
        # The container writes the file: a command line would show the hashes to every user.
        script = 'umask 077; printf %s "$VALKEY" >/tmp/valkey.conf; exec valkey-server $0'
        environment = {"VALKEY": valkey.format_configuration(settings)}
        with self._starting():
            container = (
                DockerContainer(VALKEY).with_exposed_ports(VALKEY_PORT).with_envs(**environment)
            )
            self._start(container.with_command(["sh", "-c", script, "/tmp/valkey.conf"]))  # noqa: S108  inside the container
            login = f"{valkey.USER}:{passwords[valkey.SECRET_NAMES[valkey.USER]]}"
            return f"redis://{login}@{_published_address(container, VALKEY_PORT)}/0"

    def stop(self) -> None:
        """Stop and remove the started containers."""
        with self._start_lock:
            while self._started:
                self._started.pop().stop()

    def _start(self, container: DockerContainer) -> None:
        # Added before the start: a container that fails to start must be removed too.
        self._started.append(container)
        container.start()

    @contextmanager
    def _starting(self) -> Iterator[None]:
        with self._start_lock:
            try:
                yield
            except Exception as error:
                # docker's library raises many types; the first line of the text has the cause.
                cause = (str(error).splitlines() or [type(error).__name__])[0][:200]
                message = (
                    f"No container could be started ({cause}): start Docker, or leave "
                    "PREAU_KAFKA, PREAU_POSTGRES and PREAU_REDIS at embedded."
                )
                raise StackError(message) from error


def _published_address(container: DockerContainer, port: int) -> str:
    return f"{container.get_container_host_ip()}:{container.get_exposed_port(port)}"


def kafka_environment(address: str, passwords: Mapping[str, str]) -> Mapping[str, str]:
    """Return the embedded broker's settings as variables of the Kafka image."""
    settings = (
        BROKER_SETTINGS
        | kafka_users.broker_settings(passwords)
        | {
            "log.dirs": "/tmp/kraft-combined-logs",  # noqa: S108  inside the container
            "listeners": f"{kafka_users.LISTENER}://:{KAFKA_PORT},CONTROLLER://:{CONTROLLER_PORT}",
            "advertised.listeners": f"{kafka_users.LISTENER}://{address}",
            "controller.quorum.voters": f"1@localhost:{CONTROLLER_PORT}",
        }
    )
    return {_variable(name): value for name, value in settings.items()}


def _variable(setting: str) -> str:
    return f"KAFKA_{setting.replace('-', '___').replace('.', '_').upper()}"
