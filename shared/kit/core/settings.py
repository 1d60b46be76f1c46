"""Settings read from variables of the environment: one field per variable, errors that name it."""

from collections.abc import Mapping

from pydantic import BaseModel, ValidationError

from shared.kit.core.errors import PreauError

SHARED_PREFIX = "PREAU_"


class SettingError(PreauError):
    """A variable is missing, wrong or unknown; the message names it and says its meaning."""

    key = "setting"

    def __init__(self, message: str) -> None:
        super().__init__(message=message)
        self.message = message

    def __str__(self) -> str:
        return self.message


def read_variables(
    model: type[BaseModel], prefix: str, environment: Mapping[str, str], names: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return the texts of a model's fields: of the prefixed variable, else of the shared one."""
    words: dict[str, str] = {}
    for name in names or tuple(model.model_fields):
        for start in (prefix, SHARED_PREFIX):
            value = environment.get(f"{start}{name.upper()}")
            if value:
                words[name] = value
                break
    return words


def to_setting_error(model: type[BaseModel], prefix: str, error: ValidationError) -> SettingError:
    """Say in one line which variable is wrong, and what it means."""
    first = error.errors(include_input=False)[0]
    if not first["loc"]:  # several variables that do not go together
        reason = first["msg"].removeprefix("Value error, ")
        return SettingError(
            f"{prefix}KAFKA_SECURITY_PROTOCOL (how to connect to Kafka) is wrong: {reason}."
        )
    field = str(first["loc"][0])
    meaning = model.model_fields[field].description or field
    variable = f"{prefix}{field.upper()}"
    wrong = "is missing" if first["type"] == "missing" else f"is wrong: {first['msg']}"
    return SettingError(f"{variable} ({meaning}) {wrong}.")
