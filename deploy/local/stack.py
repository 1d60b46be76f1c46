"""The stack as one thing: `async with Stack(home, Choices()) as addresses: …`."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from deploy.local import containers, kafka, kafka_users, postgres, provision, valkey
from deploy.local import external_servers as outside
from deploy.local.artifacts import cache_folder, kafka_jars
from deploy.local.choices import SERVER_NAMES, ServerChoices, ServerName
from deploy.local.errors import StackError
from deploy.local.home import HomeLock, choose_ports, load_or_create_passwords, make_home
from deploy.local.provision import Role
from deploy.local.servers import Program, ServerProcess
from shared.kit.bus.kafka import Cluster
from shared.kit.core.errors import Transient

T = TypeVar("T")
READY_TIMEOUT_SECONDS = 60  # seconds; an ordinary start takes two to four
PULL_TIMEOUT_SECONDS = 900  # the same when a container's image may have to be fetched first


@dataclass(frozen=True)
class StackAddresses:
    """Where the servers are. A part that was not asked for has an empty address."""

    kafka: str = ""
    redis: str = field(default="", repr=False)
    """The URL of the services' user, with its password."""
    has_kafka_users: bool = False
    """Whether Kafka has the users of `kafka_users`, with the passwords that stand here."""
    postgres: str = field(default="", repr=False)
    """The administrator's URL: for provisioning only, no service ever sees it."""
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)

    def database_url(self, service: str, role: Role) -> str:
        """Return the SQLAlchemy URL of a service's database for one of its three roles."""
        name = provision.role_name(service, role)
        admin = urlsplit(self.postgres)
        place = admin.netloc.rpartition("@")[2]
        # How to encrypt is the same for all: `?sslmode=…`.
        query = f"?{admin.query}" if admin.query else ""
        database = provision.database_name(service)
        return f"postgresql+asyncpg://{name}:{self.passwords[name]}@{place}/{database}{query}"

    def cluster(self, user: str = kafka_users.ADMIN) -> Cluster:
        """Return Kafka as one of its users sees it: a service, or the administrator."""
        if self.has_kafka_users:
            return kafka_users.cluster_as_user(self.kafka, user, self.passwords)
        return Cluster.from_environment(kafka_users.settings_owner(user), os.environ, self.kafka)

    def kafka_variables(self, *users: str) -> dict[str, str]:
        """Return the settings of these users' logins, as environment variables."""
        if self.has_kafka_users:
            settings = [kafka_users.login_variables(user, self.passwords) for user in users]
            return {name: text for one in settings for name, text in one.items()}
        owners = ("preau", *map(kafka_users.settings_owner, users))
        starts = tuple(f"{name.upper()}_KAFKA_" for name in owners)
        return {name: text for name, text in os.environ.items() if name.startswith(starts)}

    def summary_lines(self, choices: ServerChoices) -> list[str]:
        """Say for a person what was picked and where it is, without a password."""
        told = {"Kafka": self.kafka, "PostgreSQL": self.postgres, "Redis": self.redis}
        picked = (choices.kafka, choices.postgres, choices.redis)
        return [
            f"{name:<11} {address.rpartition('@')[2]}  ({kind})"
            for (name, address), kind in zip(told.items(), map(_kind, picked), strict=True)
            if address
        ]


class Stack:
    """Three servers that live as long as the `async with` block, with their data in one folder.

    Entering takes the home's lock, starts all parts at once, waits until each really serves,
    provisions PostgreSQL, and gives the addresses; what cannot start raises StackError after
    everything else was stopped. Leaving stops what this stack started and nothing else. If this
    process is killed, its servers stop by themselves. `fast` (tests) keeps no promise about a
    crash; `java_options` replace Kafka's quick-start ones, and `users=False` opens Kafka to whoever
    reaches it (both for benchmarks only).
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
        """Describe a stack; nothing is started, read or written yet."""
        self._home = home.absolute()
        self._choices = choices or ServerChoices()
        self._parts = server_names
        self._fast = fast
        self._java_options = java_options
        self._users = with_kafka_users
        self._lock = HomeLock(self._home)
        self._held: tuple[int, ...] = ()
        self._servers: dict[ServerName, ServerProcess] = {}
        self._containers = containers.Containers()
        self._ports: dict[str, int] = {}
        self._passwords: dict[str, str] = {}

    async def __aenter__(self) -> StackAddresses:
        """Start everything, or nothing."""
        make_home(self._home)
        self._held = (await asyncio.to_thread(self._lock.acquire),)
        try:
            self._ports = choose_ports(self._home, self._wanted_ports())
            names = [postgres.ADMIN, *provision.role_names(), *kafka_users.secret_names()]
            names += valkey.SECRET_NAMES.values()
            self._passwords = load_or_create_passwords(self._home, names)
            return await self._start()
        except OSError as error:  # a full disk, a folder that became somebody else's
            await self._stop()
            message = f"{self._home} cannot be used: {error}."
            raise StackError(message) from error
        except BaseException:
            await self._stop()
            raise

    async def __aexit__(self, *_: object) -> None:
        """Stop what was started."""
        await self._stop()

    async def wait_for_failure(self) -> StackError:
        """Wait until a server of ours stops by itself, and say which and why."""
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
        pulling = any(self._choices.choice_for(part) == "docker" for part in self._parts)
        within = PULL_TIMEOUT_SECONDS if pulling else READY_TIMEOUT_SECONDS
        try:
            async with asyncio.timeout(within), asyncio.TaskGroup() as group:
                tasks = {part: group.create_task(starts[part]()) for part in self._parts}
        except TimeoutError:
            message = f"Not ready after {within} s: see the logs in {self._home / 'logs'}."
            raise StackError(message) from None
        except BaseExceptionGroup as errors:
            raise _telling(errors) from errors
        given = {part: task.result() for part, task in tasks.items()}
        users = self._users and (
            self._choices.is_embedded("kafka") or self._choices.kafka == "docker"
        )
        return StackAddresses(**given, has_kafka_users=users, passwords=self._passwords)

    async def _start_kafka(self) -> str:
        choice = self._choices.kafka
        if choice == "docker":
            address = await asyncio.to_thread(self._containers.start_kafka, self._passwords)
            await _retried(
                lambda where: kafka_users.provision_users(where, self._passwords), address
            )
            return address
        if not self._choices.is_embedded("kafka"):
            return await outside.check_kafka(
                Cluster.from_environment(kafka_users.OPERATOR, os.environ, choice)
            )
        return await self._start_embedded_kafka()

    async def _start_embedded_kafka(self) -> str:
        jars = await asyncio.to_thread(kafka_jars, cache_folder(os.environ))
        passwords = self._passwords if self._users else None
        listening = kafka.BrokerListener(self._ports["kafka"], self._ports["controller"], passwords)
        await kafka.prepare_data_folder(self._home, jars, listening, self._held)
        self._amend_kafka(listening)
        server = self._run("kafka", kafka.server_program(self._home, jars, self._java_options))
        ready = kafka.wait_until_ready(listening, kafka.read_cluster_id(self._home), server)
        # Reading what the services consume takes as long as the broker takes to start.
        await asyncio.gather(ready, asyncio.to_thread(kafka_users.required_acls))
        address = f"{kafka.HOST}:{listening.port}"
        if self._users:
            await kafka_users.provision_users(address, self._passwords)
        return address

    def _amend_kafka(self, listening: kafka.BrokerListener) -> None:
        """Change the broker's settings before it starts; nothing here (tests add a listener)."""

    async def _start_postgres(self) -> str:
        choice = self._choices.postgres
        if choice == "docker":
            user, password = postgres.ADMIN, self._passwords[postgres.ADMIN]
            admin = await asyncio.to_thread(self._containers.start_postgres, user, password)
            await _retried(outside.check_postgres, admin)
        elif not self._choices.is_embedded("postgres"):
            admin = choice
        else:
            admin = await self._start_embedded_postgres()
        await provision.provision_databases(admin, self._passwords)
        return admin

    async def _start_embedded_postgres(self) -> str:
        password, port = self._passwords[postgres.ADMIN], self._ports["postgres"]
        await postgres.prepare_data_folder(self._home, password, self._held)
        program = postgres.server_program(self._home, port, fast=self._fast)
        server = self._run("postgres", program)
        admin = postgres.admin_url(port, password)
        await postgres.wait_until_ready(admin, server)
        return admin

    async def _start_redis(self) -> str:
        choice = self._choices.redis
        if choice == "docker":
            address = await asyncio.to_thread(self._containers.start_redis, self._passwords)
            return await _retried(outside.check_redis, address)
        if not self._choices.is_embedded("redis"):
            return await outside.check_redis(choice)
        port = self._ports["redis"]
        program = valkey.server_program(self._home, port, self._passwords, fast=self._fast)
        await valkey.wait_until_ready(port, self._passwords, self._run("redis", program))
        return valkey.url(port, self._passwords)

    def _run(self, part: ServerName, program: Program) -> ServerProcess:
        self._servers[part] = server = ServerProcess.start(program, self._held)
        return server

    def _wanted_ports(self) -> dict[str, int | None]:
        ours = sorted(part for part in self._parts if self._choices.is_embedded(part))
        wanted: dict[str, int | None] = {part: self._choices.requested_port(part) for part in ours}
        return wanted | ({"controller": None} if "kafka" in ours else {})

    async def _stop(self) -> None:
        try:
            # They hold nothing of each other's: side by side loses nothing.
            await asyncio.gather(*(server.stop() for server in self._servers.values()))
            self._servers.clear()
            await asyncio.to_thread(self._containers.stop)
        finally:
            self._lock.release()


def _kind(choice: str) -> str:
    kind = choice.partition(":")[0]
    return kind if kind in {"embedded", "docker"} else "yours"


def _telling(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that a person can act on, if the parts that failed left one."""
    told, _ = errors.split((StackError, OSError))
    first: BaseException = told or errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


async def _retried(answers: Callable[[str], Awaitable[T]], address: str) -> T:
    """Ask a container that was just started until it answers; the stack's own limit ends this."""
    while True:
        try:
            return await answers(address)
        except (StackError, Transient):
            await asyncio.sleep(0.1)
