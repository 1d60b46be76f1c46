"""A request to send, and how its response changes the tenant's state."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.chaos.workload.tenant_state import KnownContent, Person


def ignore_response(_: bytes) -> None:
    """Learn nothing."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request to send. A `body` of bytes is sent unchanged, any other as JSON."""

    service: str
    method: str
    path: str
    """After `/<service>/v1`."""
    body: object = None
    on_success: Callable[[bytes], None] = ignore_response
    """Called with the body of an ok answer."""
    content: KnownContent | None = None
    """The content that it is about: gone, when the answer says so."""
    expected_status: int | None = None
    """The refusal that is asked for."""
    token: str | None = None
    """Instead of the person's own; empty: none."""


Action = Callable[[Person, Random], Request | None]
"""Builds a request for a person; None while there is no object for the action."""


def get(service: str, path: str, learn: Callable[[bytes], None] = ignore_response) -> Request:
    """Ask for something."""
    return Request(service, "GET", path, on_success=learn)
