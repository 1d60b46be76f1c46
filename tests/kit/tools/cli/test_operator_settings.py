"""Commands find the servers by environment variables, else in the operator file."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.local.platform import OPERATOR_ENV_FILE, _write_private, operator_environment
from deploy.local.stack import StackAddresses
from shared.kit.tools.cli.migrate import migrate
from shared.kit.tools.cli.operator_settings import OPERATOR_FILE, kafka_cluster, operator_setting
from tests.support.audit_keys import new_private_key_pem


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PREAU_HOME", str(tmp_path))
    for name in ("PREAU_KAFKA", "COMMUNITY_OWNER_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_operator_file_of_make_run_is_read_and_private(home: Path) -> None:
    names = ("identity", "community", "notifications", "moderation", "metrics")
    passwords = {f"{n}_{role}": f"é={n}" for n in names for role in ("owner", "app")}
    passwords["kafka_admin"] = "word"
    servers = StackAddresses(
        "127.0.0.1:9092",
        postgres="postgresql://x@127.0.0.1:5432/x",
        passwords=passwords,
        has_kafka_users=True,
    )
    _write_private(
        home / OPERATOR_ENV_FILE,
        operator_environment(servers, {"PREAU_AUDIT_KEY": new_private_key_pem()}).replace("é", "e"),
    )

    assert OPERATOR_ENV_FILE == OPERATOR_FILE
    assert operator_setting("PREAU_KAFKA") == "127.0.0.1:9092"
    assert operator_setting("COMMUNITY_OWNER_URL") == servers.database_url(
        "community", "owner"
    ).replace("é", "e")
    login = kafka_cluster().login
    assert (login.kafka_username, login.kafka_password) == ("admin", "word")
    assert login.kafka_security_protocol == "SASL_PLAINTEXT"
    assert (home / OPERATOR_FILE).stat().st_mode & 0o777 == 0o600


def test_environment_variable_takes_precedence_over_operator_file(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / OPERATOR_FILE).write_text("PREAU_KAFKA=127.0.0.1:1\n")
    monkeypatch.setenv("PREAU_KAFKA", "kafka.example:9092")
    assert operator_setting("PREAU_KAFKA") == "kafka.example:9092"
    monkeypatch.setenv("PREAU_KAFKA", "embedded")
    assert operator_setting("PREAU_KAFKA") == "127.0.0.1:1"


def test_migrate_names_the_missing_setting(home: Path) -> None:
    assert operator_setting("COMMUNITY_OWNER_URL") is None
    result = CliRunner().invoke(migrate, ["community"])
    assert result.exit_code == 1
    assert "COMMUNITY_OWNER_URL is not set" in result.output
