"""The bus on Apache Kafka: the only place that knows FastStream and aiokafka."""

from shared.kit.bus.kafka.bus import KafkaBus
from shared.kit.bus.kafka.cluster import Cluster

__all__ = ["Cluster", "KafkaBus"]
