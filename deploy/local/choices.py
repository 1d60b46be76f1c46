"""The choice of Kafka, PostgreSQL and Redis: embedded, in a container, or an existing server."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import urlsplit

from deploy.local.errors import StackError

ServerName = Literal["kafka", "postgres", "redis"]
SERVER_NAMES: frozenset[ServerName] = frozenset(get_args(ServerName))
URL_SCHEMES = {"postgres": ("postgresql", "postgres"), "redis": ("redis", "rediss", "unix")}
HIGHEST_PORT = 65_535


@dataclass(frozen=True)
class ServerChoices:
    """One choice for each server: `embedded`, `embedded:PORT`, `docker`, or an address.

    The address is `host:port[,host:port]` for Kafka and a URL for PostgreSQL and Redis (for
    PostgreSQL, of a role that may create databases and roles). There is no fallback: if a chosen
    server cannot be used, the start fails.
    """

    kafka: str = "embedded"
    postgres: str = "embedded"
    redis: str = "embedded"

    def __post_init__(self) -> None:
        """Reject an invalid choice. Raises StackError with the name of its variable."""
        for server in sorted(SERVER_NAMES):
            _check(server, self.choice_for(server))

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "ServerChoices":
        """Read PREAU_KAFKA, PREAU_POSTGRES and PREAU_REDIS; absent or empty means embedded."""
        values = {name: env.get(_variable(name), "").strip() for name in SERVER_NAMES}
        return cls(**{name: value for name, value in values.items() if value})

    def choice_for(self, server: ServerName) -> str:
        """Return the choice for one server."""
        return {"kafka": self.kafka, "postgres": self.postgres, "redis": self.redis}[server]

    def is_embedded(self, server: ServerName) -> bool:
        """Return whether this server is embedded."""
        return self.choice_for(server).partition(":")[0] == "embedded"

    def requested_port(self, server: ServerName) -> int | None:
        """Return the port that `embedded:PORT` asks for, if it does."""
        port = self.choice_for(server).partition(":")[2]
        return int(port) if self.is_embedded(server) and port else None


def _variable(server: ServerName) -> str:
    return f"PREAU_{server.upper()}"


def _check(server: ServerName, choice: str) -> None:
    kind, _, port = choice.partition(":")
    if choice in {"embedded", "docker"} or (kind == "embedded" and _is_port(port)):
        return
    if server == "kafka":
        valid = kind != "embedded" and all(map(_is_host_and_port, choice.split(",")))
        form = "host:port"
    else:
        valid = _scheme(choice) in URL_SCHEMES[server]
        form = f"a {URL_SCHEMES[server][0]}:// URL"
    if not valid:
        # Without the value, which may contain a password.
        message = f"{_variable(server)} must be embedded, embedded:PORT, docker or {form}."
        raise StackError(message)


def _scheme(url: str) -> str:
    try:
        return urlsplit(url).scheme
    except ValueError:  # brackets that do not close
        return ""


def _is_host_and_port(address: str) -> bool:
    host, _, port = address.strip().rpartition(":")
    return bool(host) and "/" not in host and _is_port(port)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < int(text) <= HIGHEST_PORT
