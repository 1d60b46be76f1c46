"""Settings of a process's HTTP servers: the public port and the inner one for operators."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from shared.kit.core.settings import SettingError
from shared.kit.web.client_address import TrustedProxies
from shared.kit.web.slow_clients import SlowClientLimits

PORT, INNER_PORT = 8000, 8001
HIGHEST_PORT = 65_535


@dataclass(frozen=True)
class ListenSettings:
    """Addresses and ports of both servers, trusted proxies and limits of slow clients.

    The inner port serves metrics and detailed health: clients must not reach it.
    """

    host: str = "127.0.0.1"
    port: int = PORT
    inner_host: str = "127.0.0.1"
    inner_port: int = INNER_PORT
    trusted_proxies: TrustedProxies = field(default_factory=TrustedProxies)
    sender_limits: SlowClientLimits = field(default_factory=SlowClientLimits)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "ListenSettings":
        """Read PREAU_LISTEN, PREAU_PORT, PREAU_INNER_LISTEN, PREAU_INNER_PORT and the others.

        The default inner host is the public one, the default inner port the next one. Raises
        `SettingError`.
        """
        host = environment.get("PREAU_LISTEN") or cls.host
        port = _read_number(environment, "PREAU_PORT", PORT, HIGHEST_PORT)
        inner_port = _read_number(environment, "PREAU_INNER_PORT", _next_port(port), HIGHEST_PORT)
        if port == inner_port:
            raise SettingError(f"PREAU_INNER_PORT is {port}, as PREAU_PORT: give it another port.")
        defaults = SlowClientLimits()
        name = "PREAU_UNFINISHED_PER_ADDRESS"
        per_address = _read_number(environment, name, defaults.per_address, defaults.in_all)
        return cls(
            host,
            port,
            environment.get("PREAU_INNER_LISTEN") or host,
            inner_port,
            _read_proxies(environment.get("PREAU_TRUSTED_PROXIES", "")),
            replace(defaults, per_address=per_address),
        )


def _next_port(port: int) -> int:
    return port + 1 if port < HIGHEST_PORT else port - 1


def _read_number(environment: Mapping[str, str], name: str, default: int, highest: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) <= highest:
        raise SettingError(f"{name} is {text!r}: it must be a number from 1 to {highest}.")
    return int(text)


def _read_proxies(text: str) -> TrustedProxies:
    try:
        return TrustedProxies.parse(text)
    except ValueError as error:
        meaning = "addresses or networks of proxies, such as 10.0.0.0/8, separated by commas"
        raise SettingError(f"PREAU_TRUSTED_PROXIES ({meaning}): {error}") from error
