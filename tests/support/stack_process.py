"""A stack in a separate process (`make up`), to be interrupted and killed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio import Redis

from deploy.local import postgres, provision, valkey
from deploy.local.stack import StackAddresses
from shared.kit.bus.kafka import Cluster

REPOSITORY = Path(__file__).resolve().parents[2]
READY_LINE = "Ctrl-C stops them."
TIMEOUT_SECONDS = 60


@dataclass
class StackProcess:
    """`make up` on one home: `python -m deploy.local up`."""

    home: Path
    command_prefix: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        self._process = subprocess.Popen(
            [*self.command_prefix, sys.executable, "-m", "deploy.local", "up"],
            cwd=REPOSITORY,
            env=os.environ | {"PREAU_HOME": str(self.home)} | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def start_and_wait(self) -> float:
        """Start, wait for its last line, and give the seconds that it took."""
        began = time.monotonic()
        self.start()
        assert self._process.stdout is not None
        lines = []
        for line in self._process.stdout:
            lines.append(line)
            if READY_LINE in line:
                return time.monotonic() - began
        raise AssertionError("".join(lines) or "it said nothing")

    def start_refused(self) -> str:
        """Start the stack, wait until it exits with an error, and return its one-line message."""
        self.start()
        output, _ = self._process.communicate(timeout=TIMEOUT_SECONDS)
        assert self._process.returncode == 1, output
        assert output.count("\n") == 1, output
        return output

    @property
    def pid(self) -> int:
        return self._process.pid

    def descendants(self) -> set[int]:
        """Return the process ids of all that it started."""
        return descendant_pids(self.pid)

    def interrupt(self) -> int:
        """Send SIGINT to the process group, as Ctrl-C does."""
        os.killpg(self.pid, signal.SIGINT)
        return self._wait_for_exit()

    def terminate(self) -> int:
        self._process.terminate()
        return self._wait_for_exit()

    def kill(self) -> int:
        self._process.kill()
        return self._wait_for_exit()

    def _wait_for_exit(self) -> int:
        status = self._process.wait(TIMEOUT_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return status


def descendant_pids(pid: int) -> set[int]:
    """Return the children of a process, theirs, and so on."""
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], check=True, capture_output=True, text=True
    ).stdout
    parents = {int(line.split()[0]): int(line.split()[1]) for line in listing.splitlines()}
    pids: set[int] = set()
    while children := {child for child, parent in parents.items() if parent in pids | {pid}} - pids:
        pids |= children
    return pids


def running_pids(pids: set[int]) -> set[int]:
    """Return the processes that still run; zombies do not count."""
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,stat="], check=True, capture_output=True, text=True
    ).stdout
    running = {int(pid) for pid, state in map(str.split, listing.splitlines()) if state[0] != "Z"}
    return pids & running


def addresses_of(home: Path) -> StackAddresses:
    """Read where the servers of a home are, as no service does."""
    ports = cast("dict[str, int]", json.loads((home / "ports.json").read_text()))
    passwords = cast("dict[str, str]", json.loads((home / "secrets.json").read_text()))
    return StackAddresses(
        kafka=f"127.0.0.1:{ports['kafka']}",
        has_kafka_users=True,
        redis=valkey.url(ports["redis"], passwords),
        postgres=postgres.admin_url(ports["postgres"], passwords[postgres.ADMIN]),
        passwords=passwords,
    )


async def write_word(addresses: StackAddresses, word: str) -> None:
    """Put a word into each of the three servers."""
    await _execute(addresses, "owner", "CREATE TABLE IF NOT EXISTS words (word text)")
    await _execute(addresses, "app", "INSERT INTO words VALUES ($1)", word)
    redis = Redis.from_url(addresses.redis)
    await redis.append("preau:words", f"{word} ")
    await redis.aclose()
    await _make_topic(addresses.cluster())
    producer = AIOKafkaProducer(**addresses.cluster().client_options(), acks="all")
    await producer.start()
    try:
        await producer.send_and_wait("words", word.encode(), partition=0)
    finally:
        await producer.stop()


async def read_words(addresses: StackAddresses) -> dict[str, list[str]]:
    """Return the words that each server knows."""
    rows = await _execute(addresses, "app", "SELECT word FROM words")
    redis = Redis.from_url(addresses.redis, decode_responses=True)
    redis_words = await redis.get("preau:words") or ""
    await redis.aclose()
    return {
        "postgres": [row["word"] for row in rows],
        "redis": str(redis_words).split(),
        "kafka": await _read_topic(addresses.cluster()),
    }


async def _execute(
    addresses: StackAddresses, role: provision.Role, statement: str, *values: str
) -> list[asyncpg.Record]:
    url = addresses.database_url("community", role)
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return await connection.fetch(statement, *values)
    finally:
        await connection.close()


async def _make_topic(cluster: Cluster) -> None:
    admin = AIOKafkaAdminClient(**cluster.client_options())
    await admin.start()
    try:
        if "words" not in await admin.list_topics():
            await admin.create_topics([NewTopic("words", 1, 1)])
    finally:
        await admin.close()


async def _read_topic(cluster: Cluster) -> list[str]:
    consumer = AIOKafkaConsumer(**cluster.client_options())
    await consumer.start()
    try:
        partition = TopicPartition("words", 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return [(await consumer.getone()).value.decode() for _ in range(end)]
    finally:
        await consumer.stop()
