"""Where the servers are, for an operator's commands: a variable, else the data folder's file."""

import os
from collections.abc import Mapping
from pathlib import Path

from shared.kit.bus.kafka import Cluster
from shared.kit.bus.kafka.settings import KafkaSettings
from shared.kit.tools.cli.api_client import EXIT_UNREACHABLE, PlatformError

OPERATOR_FILE = "operator.env"
"""Written by `make run`, readable by its owner only: `NAME=value` lines."""
_CHOICES = ("embedded", "docker")
"""What `make run` may be told of a server in the same variables; no address."""
_OPERATOR = "operator"
"""`OPERATOR_KAFKA_USERNAME` and the like go before `PREAU_KAFKA_USERNAME`."""


def operator_setting(name: str) -> str | None:
    """Give the variable `name`; where it is not set, what stands in `PREAU_HOME`'s file."""
    found = os.environ.get(name, "")
    if found and found.partition(":")[0] not in _CHOICES:
        return found
    return _file().get(name)


def kafka_cluster() -> Cluster:
    """Give the Kafka cluster and the operator's login there.

    Address and login come from one source: the environment where it names brokers, else the file.
    Raises `PlatformError` without an address, `SettingError` for a login that is wrong.
    """
    bootstrap = operator_setting("PREAU_KAFKA")
    if not bootstrap:
        message = "PREAU_KAFKA is not set (the addresses of the brokers), and no `make run` left it"
        raise PlatformError(message, EXIT_UNREACHABLE)
    source = os.environ if bootstrap == os.environ.get("PREAU_KAFKA") else _file()
    return Cluster(bootstrap, KafkaSettings.for_service(_OPERATOR, source))


def _file() -> Mapping[str, str]:
    try:
        text = (Path(os.environ.get("PREAU_HOME") or ".preau") / OPERATOR_FILE).read_text(
            encoding="utf-8"
        )
    except OSError:  # no platform of `make run` here: the variables alone count
        return {}
    lines = (line.partition("=") for line in text.splitlines())
    return {name: value for name, _, value in lines}
