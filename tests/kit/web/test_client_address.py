"""The client's address: of the peer, or of the header of a trusted proxy."""

import pytest

from shared.kit.core.settings import SettingError
from shared.kit.web.client_address import UNKNOWN_ADDRESS, TrustedProxies
from tests.kit.runtime.test_settings import REQUIRED, CanteenSettings

PROXIES = TrustedProxies.parse("10.0.0.0/8, 2001:db8:1::7")


def scope(client: str | None, *forwarded: str) -> dict[str, object]:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return {"client": (client, 50_000) if client else None, "headers": headers}


@pytest.mark.parametrize(
    ("client", "forwarded", "expected"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        # Any client can send the header: it is ignored without a trusted proxy.
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("10.1.2.3", ["198.51.100.1"], "198.51.100.1"),
        # The client wrote the first one, our proxy the last.
        ("10.1.2.3", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["1.1.1.1", "198.51.100.1, 10.9.9.9"], "198.51.100.1"),
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", ["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
        ("10.1.2.3", ["1.1.1.1, unknown"], "10.1.2.3"),
        ("10.1.2.3", [""], "10.1.2.3"),
        ("2001:db8:1::7", ["198.51.100.1"], "198.51.100.1"),
        ("2001:db8:2:3:4:5:6:7", [], "2001:db8:2:3::/64"),
        ("::ffff:203.0.113.7", [], "203.0.113.7"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        (None, ["198.51.100.1"], UNKNOWN_ADDRESS),
        ("testclient", [], UNKNOWN_ADDRESS),
    ],
)
def test_client_address_of_a_request(
    client: str | None, forwarded: list[str], expected: str
) -> None:
    assert PROXIES.client_address(scope(client, *forwarded)) == expected


def test_long_header_is_read_from_its_end_only() -> None:
    header = ", ".join(["198.51.100.1", *["10.0.0.1"] * 1000])
    assert PROXIES.client_address(scope("10.1.2.3", header)) == "10.0.0.1"


def test_header_is_ignored_without_trusted_proxies() -> None:
    assert TrustedProxies().client_address(scope("127.0.0.1", "198.51.100.1")) == "127.0.0.1"


def test_invalid_proxy_network_is_a_setting_error() -> None:
    with pytest.raises(SettingError, match="CANTEEN_TRUSTED_PROXIES"):
        CanteenSettings.from_environment(
            {**REQUIRED, "PREAU_TRUSTED_PROXIES": "10.0.0.0/8, proxy.example"}
        )
    read = CanteenSettings.from_environment({**REQUIRED, "PREAU_TRUSTED_PROXIES": "10.0.0.0/8"})
    assert read.proxies().client_address(scope("10.1.2.3", "198.51.100.1")) == "198.51.100.1"
