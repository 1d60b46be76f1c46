"""Access rights on the embedded broker: every user on every topic, and clients without a user."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.conn import create_conn
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
)
from aiokafka.structs import OffsetAndMetadata

from deploy.local.choices import ServerName
from deploy.local.kafka_users import SERVICES
from deploy.local.stack import Stack, StackAddresses
from shared.contracts.catalogue import TOPICS
from shared.contracts.identity import RoleGranted
from shared.kit.bus.kafka import Cluster, KafkaBus
from shared.kit.bus.kafka.access import connect_as_admin
from shared.kit.bus.kafka.acls import subscriber_acls, topics_read, topics_written
from shared.kit.bus.kafka.login import check_login
from shared.kit.bus.kafka.settings import KafkaSettings
from shared.kit.bus.kafka.subscribers import add_subscriber, list_subscribers, remove_subscriber
from shared.kit.core.errors import Invalid, Transient

pytestmark = [
    pytest.mark.system,
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.asyncio(loop_scope="module"),
]
KAFKA: frozenset[ServerName] = frozenset({"kafka"})
EVERY_TOPIC = sorted({*TOPICS, *(f"dead.{service}" for service in SERVICES)})
REFUSED_AFTER_SECONDS = 6.0
WORD = b"word"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("access")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(home: Path) -> AsyncIterator[StackAddresses]:
    """A broker whose every topic holds one record of the administrator's."""
    async with Stack(home, server_names=KAFKA, fast=True) as addresses:
        assert await writable(addresses.cluster()) == set(EVERY_TOPIC)
        yield addresses


async def writable(cluster: Cluster) -> set[str]:
    """Write a record to every topic and return the topics that accepted it."""
    producer = AIOKafkaProducer(**cluster.client_options(), request_timeout_ms=5000)
    try:
        await producer.start()
    except KafkaError:
        await producer.stop()
        return set()
    try:
        could_write = await asyncio.gather(*(_write(producer, topic) for topic in EVERY_TOPIC))
    finally:
        await producer.stop()
    return {
        topic for topic, was_written in zip(EVERY_TOPIC, could_write, strict=True) if was_written
    }


async def _write(producer: AIOKafkaProducer, topic: str) -> bool:
    try:
        await producer.send_and_wait(topic, WORD, partition=0)
    except TopicAuthorizationFailedError:
        return False
    return True


async def readable(cluster: Cluster) -> set[str]:
    """Read from every topic and return the topics that returned a record."""
    could_read = await asyncio.gather(*(_read(cluster, topic) for topic in EVERY_TOPIC))
    return {topic for topic, has_record in zip(EVERY_TOPIC, could_read, strict=True) if has_record}


async def _read(cluster: Cluster, topic: str) -> bool:
    consumer = AIOKafkaConsumer(**cluster.client_options(), group_id=None)
    try:
        await consumer.start()
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek(partition, 0)
        async with asyncio.timeout(REFUSED_AFTER_SECONDS):
            return bool((await consumer.getone()).value)
    except (KafkaError, TimeoutError):
        return False
    finally:
        await consumer.stop()


def with_login(broker: StackAddresses, user: str, password: str, mechanism: str) -> Cluster:
    settings = KafkaSettings.for_service(
        "guest",
        {
            "GUEST_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "GUEST_KAFKA_SASL_MECHANISM": mechanism,
            "GUEST_KAFKA_USERNAME": user,
            "GUEST_KAFKA_PASSWORD": password,
        },
    )
    return Cluster(broker.kafka, settings)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_writes_and_reads_what_the_catalogue_gives_it(
    broker: StackAddresses, service: str
) -> None:
    user = broker.cluster(service)
    assert await writable(user) == topics_written(service)
    assert await readable(user) == topics_read(service)


@pytest.mark.parametrize(
    "user", [None, ("community", "SCRAM-SHA-256"), ("admin", "PLAIN"), ("broker", "PLAIN")]
)
async def test_a_client_without_the_password_reads_and_writes_nothing(
    broker: StackAddresses, user: tuple[str, str] | None
) -> None:
    cluster = (
        Cluster(broker.kafka) if user is None else with_login(broker, user[0], "guess", user[1])
    )
    bus = KafkaBus(cluster, client_id="guest")
    with pytest.raises(Transient):
        await bus.get_log_bounds([TOPICS[0]])
    await bus.close()
    if user is not None:
        with pytest.raises(Invalid, match="login to Kafka fails"):
            await check_login(cluster)
    assert await writable(cluster) == set()


async def test_a_role_forged_by_another_service_is_refused_by_the_broker(
    broker: StackAddresses,
) -> None:
    admin = KafkaBus(broker.cluster(), client_id="access")
    bounds_before = await admin.get_log_bounds([RoleGranted.TOPIC])
    for service in set(SERVICES) - {"identity"}:
        producer = AIOKafkaProducer(**broker.cluster(service).client_options())
        await producer.start()
        try:
            with pytest.raises(TopicAuthorizationFailedError):
                await producer.send_and_wait(RoleGranted.TOPIC, b"{}", key=b"tenant:member")
        finally:
            await producer.stop()
    assert await admin.get_log_bounds([RoleGranted.TOPIC]) == bounds_before
    await admin.close()


async def test_a_service_moves_no_offset_of_another_group(broker: StackAddresses) -> None:
    consumer = AIOKafkaConsumer(
        **broker.cluster("community").client_options(), group_id="metrics", enable_auto_commit=False
    )
    partition = TopicPartition("identity.member", 0)
    await consumer.start()
    consumer.assign([partition])
    try:
        with pytest.raises(GroupAuthorizationFailedError):
            await consumer.commit({partition: OffsetAndMetadata(1, "")})
    finally:
        await consumer.stop()


async def test_a_service_changes_no_user_and_no_right(broker: StackAddresses) -> None:
    async with connect_as_admin(broker.cluster("community")) as access:
        with pytest.raises(Transient, match="ClusterAuthorizationFailed"):
            await access.allow(subscriber_acls("community", ["identity.member"]))
        with pytest.raises(Transient, match="ClusterAuthorizationFailed"):
            await access.set_passwords({"identity": "mine"})
    await check_login(broker.cluster("identity"))


async def test_the_controllers_listener_lets_nobody_in(broker: StackAddresses, home: Path) -> None:
    port = json.loads(await asyncio.to_thread((home / "ports.json").read_text))["controller"]
    for user in ("broker", "admin", "community"):
        login = with_login(broker, user, "guess", "PLAIN").security_options()
        with pytest.raises(SaslAuthenticationFailed):
            await create_conn("127.0.0.1", int(port), **login)
    scram = with_login(broker, "community", "guess", "SCRAM-SHA-256").security_options()
    with pytest.raises(KafkaError):
        await create_conn("127.0.0.1", int(port), **scram)


async def test_a_subscriber_reads_its_topics_until_it_is_removed(broker: StackAddresses) -> None:
    async with connect_as_admin(broker.cluster()) as access:
        password = await add_subscriber(access, "my-system", ["community.post"])
        user = with_login(broker, "my-system", password, "SCRAM-SHA-256")

        assert await readable(user) == {"community.post"}
        assert await writable(user) == set()
        assert [subscriber.name for subscriber in await list_subscribers(access)] == ["my-system"]

        await remove_subscriber(access, "my-system")
        assert await list_subscribers(access) == []
    with pytest.raises(Invalid, match="login to Kafka fails"):
        await check_login(user)
