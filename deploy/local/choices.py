"""Which Kafka, PostgreSQL and Redis to use: ours, a container's, or one that is already there."""

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
    """One switch for each part: `embedded`, `embedded:PORT`, `docker`, or an address.

    The address is `host:port[,host:port]` for Kafka and a URL for the two others (for PostgreSQL
    that of a role which may create databases and roles). Nothing falls back: a choice that cannot
    be had stops the start.
    """

    kafka: str = "embedded"
    postgres: str = "embedded"
    redis: str = "embedded"

    def __post_init__(self) -> None:
        """Refuse what cannot be an address, naming the variable that says it."""
        for part in sorted(SERVER_NAMES):
            _check(part, self.choice_for(part))

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "ServerChoices":
        """Read PREAU_KAFKA, PREAU_POSTGRES and PREAU_REDIS; absent or empty means embedded."""
        said = {part: env.get(_variable(part), "").strip() for part in SERVER_NAMES}
        return cls(**{part: value for part, value in said.items() if value})

    def choice_for(self, part: ServerName) -> str:
        """Return the choice for one part."""
        return {"kafka": self.kafka, "postgres": self.postgres, "redis": self.redis}[part]

    def is_embedded(self, part: ServerName) -> bool:
        """Return whether this part is a server of our own."""
        return self.choice_for(part).partition(":")[0] == "embedded"

    def requested_port(self, part: ServerName) -> int | None:
        """Return the port that `embedded:PORT` asks for, if it does."""
        said = self.choice_for(part).partition(":")[2]
        return int(said) if self.is_embedded(part) and said else None


def _variable(part: ServerName) -> str:
    return f"PREAU_{part.upper()}"


def _check(part: ServerName, choice: str) -> None:
    head, _, rest = choice.partition(":")
    if choice in {"embedded", "docker"} or (head == "embedded" and _is_port(rest)):
        return
    if part == "kafka":
        valid = head != "embedded" and all(map(_is_host_and_port, choice.split(",")))
        form = "host:port"
    else:
        valid = _scheme(choice) in URL_SCHEMES[part]
        form = f"a {URL_SCHEMES[part][0]}:// URL"
    if not valid:
        # The value may hold a password: the variable's name is enough to find it.
        message = f"{_variable(part)} must be embedded, embedded:PORT, docker or {form}."
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
