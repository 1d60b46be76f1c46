"""Where a process answers is read from its environment, and a wrong variable is named."""

import pytest

from shared.kit.core.settings import SettingError
from shared.kit.runtime.listen_settings import ListenSettings


def test_inner_port_is_beside_the_public_one_unless_it_is_said() -> None:
    plain = ListenSettings.from_environment({})
    pod = ListenSettings.from_environment({"PREAU_LISTEN": "10.0.0.9", "PREAU_PORT": "65535"})
    said = ListenSettings.from_environment(
        {"PREAU_INNER_LISTEN": "127.0.0.1", "PREAU_INNER_PORT": "9100"}
    )
    assert (plain.host, plain.port, plain.inner_host, plain.inner_port) == (
        *("127.0.0.1", 8000),
        *("127.0.0.1", 8001),
    )
    assert (pod.inner_host, pod.inner_port) == ("10.0.0.9", 65534)
    assert (said.inner_host, said.inner_port) == ("127.0.0.1", 9100)


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


def test_proxies_and_the_limit_of_an_address_are_read() -> None:
    environment = {"PREAU_TRUSTED_PROXIES": "10.0.0.0/8", "PREAU_UNFINISHED_PER_ADDRESS": "7"}
    at = ListenSettings.from_environment(environment)
    scope = {"client": ("10.1.1.1", 1), "headers": [(b"x-forwarded-for", b"192.0.2.7")]}
    assert (at.trusted_proxies.client_address(scope), at.sender_limits.per_address) == (
        "192.0.2.7",
        7,
    )
