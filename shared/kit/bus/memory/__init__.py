"""The bus in one process, for tests: the same promises as Kafka, without a broker."""
