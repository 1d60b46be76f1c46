"""The hierarchy of errors with messages that say what to do next.

Handlers raise them. `shared.kit.web.problems` turns them into HTTP responses, `shared.kit.inbox`
into retries and dead letters; only these two do. Loops that retry (relay, jobs, monitors) catch
`Transient` and nothing else.

| class | HTTP | in a reaction |
|---|---|---|
| `Invalid` | 422 | dead letter at once |
| `NotFound` | 404 | parked, retried, dead letter |
| `Conflict` | 409 | parked, retried, dead letter |
| `Forbidden` | 403 | parked, retried, dead letter |
| `Unauthorised` | 401 | never raised there |
| `TooMany` | 429 | never raised there |
| `Transient` | 503 | the whole batch again |
"""

from typing import ClassVar


class PreauError(Exception):
    """Base of all errors that are turned into a response.

    `key` names the message in the locale files, and the problem type (`/problems/<key>`); `facts`
    fill its placeholders and are part of the problem document, so a text for the client is a fact
    named `reason`. `internal_reason` (a driver's or broker's text) is written to the log only.
    `str()` is English for the log, and includes it.
    """

    status: ClassVar[int] = 500
    key: ClassVar[str] = "internal"

    def __init__(self, *, internal_reason: str | None = None, **facts: object) -> None:
        self.facts, self.internal_reason = facts, internal_reason
        logged = (
            {**facts} if internal_reason is None else {**facts, "internal_reason": internal_reason}
        )
        super().__init__(self.key + "".join(f" {name}={value}" for name, value in logged.items()))


class Invalid(PreauError):
    """The request or the event cannot be right, now or later."""

    status = 422
    key = "invalid"


class NotFound(PreauError):
    """There is nothing there, or nothing that this caller may know of."""

    status = 404
    key = "not_found"


class Conflict(PreauError):
    """It is not possible in the present state."""

    status = 409
    key = "conflict"


class Forbidden(PreauError):
    """This caller may not do this; `rule` is the id of the rule that said no."""

    status = 403
    key = "forbidden"


class Unauthorised(PreauError):
    """The caller is not known: no token, or one that does not hold."""

    status = 401
    key = "unauthorised"


class TooMany(PreauError):
    """Too often; `retry_after` is in seconds."""

    status = 429
    key = "too_many"


class Transient(PreauError):
    """It may work if tried again; `retry_after` is in seconds."""

    status = 503
    key = "try_again"
