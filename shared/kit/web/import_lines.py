"""Validates the lines of an import one by one, so that one invalid line rejects no other."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError, WrapValidator

from shared.kit.web.cursors import ApiModel

MAX_REASON_CHARACTERS = 300


class UnreadableLine(ApiModel):
    """Replaces an invalid line in the list, with the reason."""

    reason: str


def validate_line_alone(model: type[BaseModel]) -> WrapValidator:
    """Validate a list's item as this model; an invalid one becomes an `UnreadableLine`.

    Use: `list[Annotated[MemberLine | SkipJsonSchema[UnreadableLine], read_alone(MemberLine)]]`.
    """

    def validate(value: Any, _: object) -> BaseModel:  # Any: a JSON value
        try:
            return model.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            field = "/".join(str(part) for part in first["loc"])
            reason = f"{field}: {first['msg']}" if field else first["msg"]
            return UnreadableLine(reason=reason[:MAX_REASON_CHARACTERS])

    return WrapValidator(validate)


def merge_outcomes(
    lines: Sequence[BaseModel], outcomes: Sequence[tuple[str, str | None]]
) -> list[tuple[str, str | None]]:
    """Return an outcome per line: the given ones for valid lines in order, a refusal for others."""
    readable = iter(outcomes)
    return [
        ("refused", line.reason) if isinstance(line, UnreadableLine) else next(readable)
        for line in lines
    ]
