import pytest

from deploy.local.choices import ServerChoices
from deploy.local.errors import StackError


def test_servers_are_embedded_by_default() -> None:
    assert ServerChoices.from_environment({"PREAU_REDIS": "", "PATH": "/bin"}) == ServerChoices()


def test_each_server_has_its_own_variable() -> None:
    choices = ServerChoices.from_environment(
        {
            "PREAU_KAFKA": "kafka-1:9092, kafka-2:9092",
            "PREAU_POSTGRES": "postgresql://admin:word@db/postgres",
            "PREAU_REDIS": " docker ",
        }
    )

    assert choices == ServerChoices(
        "kafka-1:9092, kafka-2:9092", "postgresql://admin:word@db/postgres", "docker"
    )
    assert not any(choices.is_embedded(server) for server in ("kafka", "postgres", "redis"))


def test_embedded_server_may_have_a_requested_port() -> None:
    choices = ServerChoices(postgres="embedded:5432")

    assert choices.is_embedded("postgres")
    assert (choices.requested_port("postgres"), choices.requested_port("redis")) == (5432, None)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PREAU_KAFKA", "kafka"),
        ("PREAU_KAFKA", "http://kafka:9092"),
        ("PREAU_KAFKA", "a:9092,,b:9092"),
        ("PREAU_KAFKA", "embedded:0"),
        ("PREAU_KAFKA", "embedded:65536"),
        ("PREAU_KAFKA", "embedded:٩٠٩٢"),
        ("PREAU_POSTGRES", "mysql://root:hunter2@db"),
        ("PREAU_POSTGRES", "postgresql://[hunter2"),
        ("PREAU_POSTGRES", "Embedded"),
        ("PREAU_REDIS", "localhost:6379"),
    ],
)
def test_wrong_choice_is_named_without_its_value(variable: str, value: str) -> None:
    with pytest.raises(StackError, match=variable) as caught:
        ServerChoices.from_environment({variable: value})

    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)
