"""Settings of an operator's commands: environment variables first, then the file of `make run`."""

import os
from collections.abc import Mapping
from pathlib import Path

from shared.kit.bus.kafka import Cluster
from shared.kit.bus.kafka.settings import KafkaSettings
from shared.kit.tools.cli.api_client import EXIT_UNREACHABLE, PlatformError

OPERATOR_FILE = "operator.env"
"""File in `PREAU_HOME` that `make run` writes: `NAME=value` lines, readable by its owner only."""
_SERVER_KINDS = ("embedded", "docker")
"""Values with which `make run` chooses a kind of server in the same variables; not addresses."""
_LOGIN_PREFIX = "operator"
"""`OPERATOR_KAFKA_…` settings take precedence over `PREAU_KAFKA_…`."""


def operator_setting(name: str) -> str | None:
    """Return a setting: the environment variable `name`, else its value in the operator file."""
    value = os.environ.get(name, "")
    if value and value.partition(":")[0] not in _SERVER_KINDS:
        return value
    return _read_operator_file().get(name)


def kafka_cluster() -> Cluster:
    """Return the Kafka cluster with the operator's login.

    Address and login come from one source: the environment if it names the brokers, else the
    operator file. Raises `PlatformError` without an address and `SettingError` for an invalid
    login.
    """
    bootstrap = operator_setting("PREAU_KAFKA")
    if not bootstrap:
        message = (
            "PREAU_KAFKA is not set: set it to the brokers' addresses, or start `make run` first"
        )
        raise PlatformError(message, EXIT_UNREACHABLE)
    source = os.environ if bootstrap == os.environ.get("PREAU_KAFKA") else _read_operator_file()
    return Cluster(bootstrap, KafkaSettings.for_service(_LOGIN_PREFIX, source))


def _read_operator_file() -> Mapping[str, str]:
    try:
        text = (Path(os.environ.get("PREAU_HOME") or ".preau") / OPERATOR_FILE).read_text(
            encoding="utf-8"
        )
    except OSError:  # without `make run` on this machine there are only variables
        return {}
    lines = (line.partition("=") for line in text.splitlines())
    return {name: value for name, _, value in lines}
