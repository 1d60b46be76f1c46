"""Lines of an import: each is read alone, so that a bad one gets a verdict and no other suffers."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError, WrapValidator

from shared.kit.web.cursors import ApiModel

MAX_REASON_CHARACTERS = 300


class UnreadableLine(ApiModel):
    """Stands in the list where a line was that is not of the right form, and says why."""

    reason: str


def validate_line_alone(model: type[BaseModel]) -> WrapValidator:
    """Read an item of a list as this model, or as an `UnreadableLine`: never an error of the whole.

    Use: `list[Annotated[MemberLine | SkipJsonSchema[UnreadableLine], read_alone(MemberLine)]]`.
    """

    def read(value: Any, _: object) -> BaseModel:  # Any: whatever JSON holds
        try:
            return model.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            field = "/".join(str(part) for part in first["loc"])
            reason = f"{field}: {first['msg']}" if field else first["msg"]
            return UnreadableLine(reason=reason[:MAX_REASON_CHARACTERS])

    return WrapValidator(read)


def merge_outcomes(
    lines: Sequence[BaseModel], outcomes: Sequence[tuple[str, str | None]]
) -> list[tuple[str, str | None]]:
    """Return an outcome per line: those of the readable lines in turn, a refusal for each other."""
    readable = iter(outcomes)
    return [
        ("refused", line.reason) if isinstance(line, UnreadableLine) else next(readable)
        for line in lines
    ]
