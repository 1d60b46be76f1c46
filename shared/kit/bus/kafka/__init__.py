"""The bus on Apache Kafka: the only place that knows FastStream and aiokafka."""

from shared.kit.bus.kafka.bus import KafkaBus

__all__ = ["KafkaBus"]
