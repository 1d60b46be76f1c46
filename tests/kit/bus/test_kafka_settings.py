"""A wrong login stops the start with one line that names the variable."""

import pytest

from shared.kit.bus.kafka import Cluster
from shared.kit.bus.kafka.settings import KafkaSettings
from shared.kit.core.settings import SettingError

SASL = {
    "PREAU_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "PREAU_KAFKA_USERNAME": "shared",
    "PREAU_KAFKA_PASSWORD": "hunter2",
}


def test_service_setting_overrides_the_shared_one() -> None:
    environment = SASL | {"COMMUNITY_KAFKA_USERNAME": "own"}
    assert Cluster.from_environment("community", environment, "k:1").user == "own"
    assert Cluster.from_environment("metrics", environment, "k:1").user == "shared"


def test_options_match_the_keyword_arguments_of_the_client() -> None:
    environment = SASL | {"PREAU_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512"}
    assert Cluster.from_environment("metrics", environment, "k:1").client_options() == {
        "bootstrap_servers": "k:1",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "shared",
        "sasl_plain_password": "hunter2",
    }
    assert Cluster("k:1").client_options() == {
        "bootstrap_servers": "k:1",
        "security_protocol": "PLAINTEXT",
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"PREAU_KAFKA_SECURITY_PROTOCOL": "TLS"}, "METRICS_KAFKA_SECURITY_PROTOCOL"),
        ({"PREAU_KAFKA_SASL_MECHANISM": "GSSAPI"}, "METRICS_KAFKA_SASL_MECHANISM"),
        ({"PREAU_KAFKA_PASSWORD": ""}, "SASL needs KAFKA_USERNAME and KAFKA_PASSWORD"),
        ({"PREAU_KAFKA_SECURITY_PROTOCOL": "SSL"}, "need SASL_SSL or SASL_PLAINTEXT"),
        ({"PREAU_KAFKA_CA_FILE": "/nowhere.pem"}, "certificates need SSL or SASL_SSL"),
        (
            {"PREAU_KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "PREAU_KAFKA_CA_FILE": "/nowhere.pem"},
            "/nowhere.pem is no file",
        ),
        (
            {"PREAU_KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "PREAU_KAFKA_CERT_FILE": __file__},
            "KAFKA_CERT_FILE and KAFKA_KEY_FILE go together",
        ),
        (
            {"PREAU_KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "PREAU_KAFKA_CA_FILE": __file__},
            "no PEM file that can be used",
        ),
    ],
)
def test_wrong_login_is_one_line_without_the_password(change: dict[str, str], words: str) -> None:
    with pytest.raises(SettingError) as caught:
        KafkaSettings.for_service("metrics", SASL | change)
    text = str(caught.value)
    assert words in text
    assert "hunter2" not in text
    assert "\n" not in text


def test_password_is_not_shown() -> None:
    assert "hunter2" not in repr(Cluster.from_environment("metrics", SASL, "k:1"))
