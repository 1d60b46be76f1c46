"""Start and stop the three servers: `async with Stack(home) as addresses: …`."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from deploy.local import (
    containers,
    external_servers,
    kafka,
    kafka_users,
    postgres,
    provision,
    valkey,
)
from deploy.local.artifacts import cache_folder, kafka_jars
from deploy.local.choices import SERVER_NAMES, ServerChoices, ServerName
from deploy.local.errors import StackError
from deploy.local.home import HomeLock, choose_ports, load_or_create_passwords, make_home
from deploy.local.provision import Role
from deploy.local.servers import Program, ServerProcess
from shared.kit.bus.kafka import Cluster
from shared.kit.core.errors import Transient

T = TypeVar("T")
READY_TIMEOUT_SECONDS = 60  # an ordinary start takes two to four
PULL_TIMEOUT_SECONDS = 900  # for a start that may have to pull container images


@dataclass(frozen=True)
class StackAddresses:
    """The addresses of the servers; empty for a server that was not requested."""

    kafka: str = ""
    redis: str = field(default="", repr=False)
    """The URL of the services' user, with its password."""
    has_kafka_users: bool = False
    """Whether Kafka has the users of `kafka_users`, with the passwords in `passwords`."""
    postgres: str = field(default="", repr=False)
    """The administrator's URL, for provisioning only; no service gets it."""
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)

    def database_url(self, service: str, role: Role) -> str:
        """Return the SQLAlchemy URL of a service's database for one of its three roles."""
        name = provision.role_name(service, role)
        admin = urlsplit(self.postgres)
        host_and_port = admin.netloc.rpartition("@")[2]
        # The TLS parameters are the same for all roles: `?sslmode=…`.
        query = f"?{admin.query}" if admin.query else ""
        database = provision.database_name(service)
        return (
            f"postgresql+asyncpg://{name}:{self.passwords[name]}@{host_and_port}/{database}{query}"
        )

    def cluster(self, user: str = kafka_users.ADMIN) -> Cluster:
        """Return Kafka with the login of one user: a service, or the administrator."""
        if self.has_kafka_users:
            return kafka_users.cluster_as_user(self.kafka, user, self.passwords)
        return Cluster.from_environment(kafka_users.settings_owner(user), os.environ, self.kafka)

    def kafka_variables(self, *users: str) -> dict[str, str]:
        """Return the settings of these users' logins, as environment variables."""
        if self.has_kafka_users:
            settings = [kafka_users.login_variables(user, self.passwords) for user in users]
            return {name: text for variables in settings for name, text in variables.items()}
        owners = ("preau", *map(kafka_users.settings_owner, users))
        prefixes = tuple(f"{name.upper()}_KAFKA_" for name in owners)
        return {name: text for name, text in os.environ.items() if name.startswith(prefixes)}

    def summary_lines(self, choices: ServerChoices) -> list[str]:
        """Return a line for each server with its address and choice, without passwords."""
        addresses = {"Kafka": self.kafka, "PostgreSQL": self.postgres, "Redis": self.redis}
        chosen = (choices.kafka, choices.postgres, choices.redis)
        return [
            f"{name:<11} {address.rpartition('@')[2]}  ({kind})"
            for (name, address), kind in zip(
                addresses.items(), map(_choice_kind, chosen), strict=True
            )
            if address
        ]


class Stack:
    """Runs three servers inside an `async with` block, with their data in one folder.

    Entering acquires the home's lock, starts all servers concurrently, waits until each serves,
    provisions PostgreSQL and returns the addresses. If one cannot start, the others are stopped and
    StackError is raised. Leaving stops only the servers that this stack started. If this process is
    killed, its servers stop too. `fast` turns durability off (tests); `java_options` replace
    Kafka's quick-start options, and `with_kafka_users=False` requires no login to Kafka (both for
    benchmarks only).
    """

    def __init__(
        self,
        home: Path,
        choices: ServerChoices | None = None,
        server_names: frozenset[ServerName] = SERVER_NAMES,
        *,
        fast: bool = False,
        java_options: Sequence[str] = kafka.QUICK_START_JAVA_OPTIONS,
        with_kafka_users: bool = True,
    ) -> None:
        """Configure a stack; nothing is started, read or written yet."""
        self._home = home.absolute()
        self._choices = choices or ServerChoices()
        self._server_names = server_names
        self._fast = fast
        self._java_options = java_options
        self._users = with_kafka_users
        self._lock = HomeLock(self._home)
        self._lock_descriptors: tuple[int, ...] = ()
        self._servers: dict[ServerName, ServerProcess] = {}
        self._containers = containers.Containers()
        self._ports: dict[str, int] = {}
        self._passwords: dict[str, str] = {}

    async def __aenter__(self) -> StackAddresses:
        """Start all servers; if one fails, stop the others and raise StackError."""
        make_home(self._home)
        self._lock_descriptors = (await asyncio.to_thread(self._lock.acquire),)
        try:
            self._ports = choose_ports(self._home, self._requested_ports())
            names = [postgres.ADMIN, *provision.role_names(), *kafka_users.secret_names()]
            names += valkey.SECRET_NAMES.values()
            self._passwords = load_or_create_passwords(self._home, names)
            return await self._start()
        except OSError as error:  # a full disk, or a folder of another user
            await self._stop()
            message = f"{self._home} cannot be used: {error}."
            raise StackError(message) from error
        except BaseException:
            await self._stop()
            raise

    async def __aexit__(self, *_: object) -> None:
        """Stop the started servers."""
        await self._stop()

    async def wait_for_failure(self) -> StackError:
        """Wait until an embedded server stops unexpectedly, and return the error."""
        while True:
            for server in self._servers.values():
                try:
                    server.raise_if_stopped()
                except StackError as error:
                    return error
            await asyncio.sleep(0.2)

    async def _start(self) -> StackAddresses:
        starts = {
            "kafka": self._start_kafka,
            "postgres": self._start_postgres,
            "redis": self._start_redis,
        }
        uses_docker = any(
            self._choices.choice_for(server) == "docker" for server in self._server_names
        )
        timeout = PULL_TIMEOUT_SECONDS if uses_docker else READY_TIMEOUT_SECONDS
        try:
            async with asyncio.timeout(timeout), asyncio.TaskGroup() as group:
                tasks = {
                    server: group.create_task(starts[server]()) for server in self._server_names
                }
        except TimeoutError:
            message = f"Not ready after {timeout} s: see the logs in {self._home / 'logs'}."
            raise StackError(message) from None
        except BaseExceptionGroup as errors:
            raise _actionable_error(errors) from errors
        addresses = {server: task.result() for server, task in tasks.items()}
        users = self._users and (
            self._choices.is_embedded("kafka") or self._choices.kafka == "docker"
        )
        return StackAddresses(**addresses, has_kafka_users=users, passwords=self._passwords)

    async def _start_kafka(self) -> str:
        choice = self._choices.kafka
        if choice == "docker":
            address = await asyncio.to_thread(self._containers.start_kafka, self._passwords)
            await _retry_until_ready(
                lambda address: kafka_users.provision_users(address, self._passwords), address
            )
            return address
        if not self._choices.is_embedded("kafka"):
            return await external_servers.check_kafka(
                Cluster.from_environment(kafka_users.OPERATOR, os.environ, choice)
            )
        return await self._start_embedded_kafka()

    async def _start_embedded_kafka(self) -> str:
        jars = await asyncio.to_thread(kafka_jars, cache_folder(os.environ))
        passwords = self._passwords if self._users else None
        listening = kafka.BrokerListener(self._ports["kafka"], self._ports["controller"], passwords)
        await kafka.prepare_data_folder(self._home, jars, listening, self._lock_descriptors)
        self._configure_kafka(listening)
        process = self._run("kafka", kafka.server_program(self._home, jars, self._java_options))
        ready = kafka.wait_until_ready(listening, kafka.read_cluster_id(self._home), process)
        # Importing the services for their ACLs takes as long as the start of the broker.
        await asyncio.gather(ready, asyncio.to_thread(kafka_users.required_acls))
        address = f"{kafka.HOST}:{listening.port}"
        if self._users:
            await kafka_users.provision_users(address, self._passwords)
        return address

    def _configure_kafka(self, listening: kafka.BrokerListener) -> None:
        """Hook before the broker's start; tests add a listener here."""

    async def _start_postgres(self) -> str:
        choice = self._choices.postgres
        if choice == "docker":
            user, password = postgres.ADMIN, self._passwords[postgres.ADMIN]
            admin = await asyncio.to_thread(self._containers.start_postgres, user, password)
            await _retry_until_ready(external_servers.check_postgres, admin)
        elif not self._choices.is_embedded("postgres"):
            admin = choice
        else:
            admin = await self._start_embedded_postgres()
        await provision.provision_databases(admin, self._passwords)
        return admin

    async def _start_embedded_postgres(self) -> str:
        password, port = self._passwords[postgres.ADMIN], self._ports["postgres"]
        await postgres.prepare_data_folder(self._home, password, self._lock_descriptors)
        program = postgres.server_program(self._home, port, fast=self._fast)
        process = self._run("postgres", program)
        admin = postgres.admin_url(port, password)
        await postgres.wait_until_ready(admin, process)
        return admin

    async def _start_redis(self) -> str:
        choice = self._choices.redis
        if choice == "docker":
            address = await asyncio.to_thread(self._containers.start_redis, self._passwords)
            return await _retry_until_ready(external_servers.check_redis, address)
        if not self._choices.is_embedded("redis"):
            return await external_servers.check_redis(choice)
        port = self._ports["redis"]
        program = valkey.server_program(self._home, port, self._passwords, fast=self._fast)
        await valkey.wait_until_ready(port, self._passwords, self._run("redis", program))
        return valkey.url(port, self._passwords)

    def _run(self, name: ServerName, program: Program) -> ServerProcess:
        process = ServerProcess.start(program, self._lock_descriptors)
        self._servers[name] = process
        return process

    def _requested_ports(self) -> dict[str, int | None]:
        embedded = sorted(
            server for server in self._server_names if self._choices.is_embedded(server)
        )
        ports: dict[str, int | None] = {
            server: self._choices.requested_port(server) for server in embedded
        }
        return ports | ({"controller": None} if "kafka" in embedded else {})

    async def _stop(self) -> None:
        try:
            # The servers are independent, so they stop concurrently.
            await asyncio.gather(*(server.stop() for server in self._servers.values()))
            self._servers.clear()
            await asyncio.to_thread(self._containers.stop)
        finally:
            self._lock.release()


def _choice_kind(choice: str) -> str:
    kind = choice.partition(":")[0]
    return kind if kind in {"embedded", "docker"} else "yours"


def _actionable_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first StackError or OSError of a group, else its first error."""
    actionable, _ = errors.split((StackError, OSError))
    first: BaseException = actionable or errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


async def _retry_until_ready(check: Callable[[str], Awaitable[T]], address: str) -> T:
    """Repeat a check of a started container until it passes or the stack's timeout cancels it."""
    while True:
        try:
            return await check(address)
        except (StackError, Transient):
            await asyncio.sleep(0.1)
