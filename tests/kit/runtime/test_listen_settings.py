"""Listen settings: defaults, and the variable named in each error."""

import pytest

from shared.kit.core.settings import SettingError
from shared.kit.runtime.listen_settings import ListenSettings


def test_inner_port_defaults_to_the_port_next_to_the_public_one() -> None:
    defaults = ListenSettings.from_environment({})
    pod = ListenSettings.from_environment({"PREAU_LISTEN": "10.0.0.9", "PREAU_PORT": "65535"})
    explicit = ListenSettings.from_environment(
        {"PREAU_INNER_LISTEN": "127.0.0.1", "PREAU_INNER_PORT": "9100"}
    )
    assert (defaults.host, defaults.port, defaults.inner_host, defaults.inner_port) == (
        *("127.0.0.1", 8000),
        *("127.0.0.1", 8001),
    )
    assert (pod.inner_host, pod.inner_port) == ("10.0.0.9", 65534)
    assert (explicit.inner_host, explicit.inner_port) == ("127.0.0.1", 9100)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PREAU_PORT", "0"),
        ("PREAU_PORT", "٨"),
        ("PREAU_PORT", "65536"),
        ("PREAU_INNER_PORT", "8000"),
        ("PREAU_INNER_PORT", "-1"),
        ("PREAU_UNFINISHED_PER_ADDRESS", "many"),
        ("PREAU_TRUSTED_PROXIES", "everybody"),
    ],
)
def test_wrong_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=name):
        ListenSettings.from_environment({name: value})


def test_trusted_proxies_and_limit_per_address_are_read() -> None:
    environment = {"PREAU_TRUSTED_PROXIES": "10.0.0.0/8", "PREAU_UNFINISHED_PER_ADDRESS": "7"}
    settings = ListenSettings.from_environment(environment)
    scope = {"client": ("10.1.1.1", 1), "headers": [(b"x-forwarded-for", b"192.0.2.7")]}
    assert (settings.trusted_proxies.client_address(scope), settings.sender_limits.per_address) == (
        "192.0.2.7",
        7,
    )
