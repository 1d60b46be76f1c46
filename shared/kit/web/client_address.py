"""Finds the client's address of a request that came through trusted proxies."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

FORWARDED_FOR_HEADER = b"x-forwarded-for"
UNKNOWN_ADDRESS = "unknown"
"""Returned for a request without a network address, such as one from a Unix socket."""
MAX_HOPS = 20
"""Maximum of addresses read from the header, counted from its end."""
_IPV6_PREFIX_BITS = 64
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class TrustedProxies:
    """The proxies whose `X-Forwarded-For` is trusted; from any other peer it is ignored.

    A proxy appends the address of its peer, so the header is read from its end: the first address
    that is no trusted proxy is the client's.
    """

    def __init__(self, networks: Sequence[Network] = ()) -> None:
        self._networks = tuple(networks)

    @classmethod
    def parse(cls, text: str) -> "TrustedProxies":
        """Parse addresses and networks separated by commas. Raises ValueError."""
        parts = [part.strip() for part in text.split(",")]
        return cls([ip_network(part) for part in parts if part])

    def client_address(self, scope: Mapping[str, Any]) -> str:
        """Return the client's IPv4 address, or the /64 network of its IPv6 address.

        One IPv6 client usually owns a whole /64. `UNKNOWN_ADDRESS` when there is none.
        """
        client = scope.get("client")
        address = None if client is None else _parse(client[0])
        if address is None:
            return UNKNOWN_ADDRESS
        if self._networks and self._trusts(address):
            for hop in _hops(scope):
                if hop is None:
                    break
                address = hop
                if not self._trusts(hop):
                    break
        return _network(address)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _hops(scope: Mapping[str, Any]) -> Iterator[Address | None]:
    """Yield the forwarded addresses, the nearest first; None for an invalid one."""
    values = [value for name, value in scope.get("headers", ()) if name == FORWARDED_FOR_HEADER]
    for part in b",".join(values).split(b",")[: -MAX_HOPS - 1 : -1]:
        yield _parse(part.decode("latin-1").strip())


def _parse(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _network(address: Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(ip_network((address, _IPV6_PREFIX_BITS), strict=False))
