"""Settings from environment variables: one field per variable, errors that name the variable."""

from collections.abc import Mapping

from pydantic import BaseModel, ValidationError

from shared.kit.core.errors import PreauError

SHARED_PREFIX = "PREAU_"


class SettingError(PreauError):
    """A variable is missing, wrong or unknown; the message contains its name and meaning."""

    key = "setting"

    def __init__(self, message: str) -> None:
        super().__init__(message=message)
        self.message = message

    def __str__(self) -> str:
        return self.message


def read_variables(
    model: type[BaseModel], prefix: str, environment: Mapping[str, str], names: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return the texts of a model's fields; a variable with `prefix` wins over `PREAU_`."""
    texts: dict[str, str] = {}
    for name in names or tuple(model.model_fields):
        for variable_prefix in (prefix, SHARED_PREFIX):
            value = environment.get(f"{variable_prefix}{name.upper()}")
            if value:
                texts[name] = value
                break
    return texts


def to_setting_error(model: type[BaseModel], prefix: str, error: ValidationError) -> SettingError:
    """Convert the first validation error into one line with the variable and its meaning."""
    first = error.errors(include_input=False)[0]
    if not first["loc"]:  # the model's own validator: variables that contradict each other
        reason = first["msg"].removeprefix("Value error, ")
        return SettingError(
            f"{prefix}KAFKA_SECURITY_PROTOCOL (how to connect to Kafka) is wrong: {reason}."
        )
    field = str(first["loc"][0])
    meaning = model.model_fields[field].description or field
    variable = f"{prefix}{field.upper()}"
    fault = "is missing" if first["type"] == "missing" else f"is wrong: {first['msg']}"
    return SettingError(f"{variable} ({meaning}) {fault}.")
