"""Features of the client that are slow or wrong and not used here; the code is not run."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from faststream import AckPolicy

from shared.kit.bus.kafka.cluster import Cluster
from shared.kit.bus.kafka.subscription import KafkaSubscription
from tests.architecture.source_tree import ROOT, python_files
from tests.support.consumers import RecordingConsumer

PRODUCT = tuple(python_files("services", "shared", "deploy"))


def _names(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.keyword):
            yield node.arg or ""
        elif isinstance(node, ast.alias):
            yield from node.name.split(".")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("transactional_id", "aiokafka speaks EndTxn v0, which allows lost writes"),
        ("KafkaTelemetryMiddleware", "it reverses names, flattens traces, halves the rate"),
        ("KafkaPrometheusMiddleware", "a wrapper around every message"),
        ("make_ping_asgi", "it asks the broker: never a liveness probe"),
        ("OpenTelemetryMiddleware", "it halves the request rate even when nothing is sampled"),
        ("FastAPIInstrumentor", "the same"),
        ("AsyncAPI", "FastStream's fails on msgspec types: kafka comes from the catalogue"),
        ("max_workers", "order per key is gone"),
    ],
)
def test_name_is_not_used(name: str, why: str) -> None:
    using = [str(file.relative_to(ROOT)) for file in PRODUCT if name in set(_names(file))]
    assert not using, why


def test_subscriber_options_avoid_the_traps() -> None:
    reading = RecordingConsumer().config_for(
        "t", "g", instance_id="pod-0", session_timeout_seconds=9.0, max_poll_interval_seconds=30.0
    )
    subscription = KafkaSubscription(Cluster("127.0.0.1:9"), "test", reading)
    subscriber, config = subscription._subscriber, subscription._broker.config.broker_config
    assert subscriber.ack_policy is AckPolicy.MANUAL
    assert config.allow_auto_create_topics is False
    assert config.consumer_only is True
    assert config.fd_config.use_fastdepends is False, "no pydantic, no validation per message"
    assert config.logger.logger.logger is None, "no line per message"
    assert tuple(config.broker_middlewares) == ()
    options = subscriber._connection_args
    assert options["enable_auto_commit"] is False
    assert options["auto_offset_reset"] == "earliest"
    assert options["group_instance_id"] == "pod-0"
    assert options["session_timeout_ms"] == 9000
    assert options["max_poll_interval_ms"] == 30_000
    assert options["heartbeat_interval_ms"] * 3 < options["session_timeout_ms"]
