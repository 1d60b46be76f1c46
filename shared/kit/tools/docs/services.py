"""Reactions and web applications of the services, for the documents.

Services are imported by name, because the kit may not import services statically.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from uuid import UUID

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.contracts.event import Fact
from shared.kit.bus.memory.bus import MemoryBus
from shared.kit.core.host import Host
from shared.kit.core.reactions import Reaction
from shared.kit.runtime.service import Service
from shared.kit.runtime.settings import Settings
from shared.kit.telemetry.noop import NoTelemetry

ReactionsByFact = Mapping[type[Fact], Sequence[tuple[str, str]]]
"""For a fact, the consumer groups that receive it, each with the name of its reaction."""

_UNREACHABLE_DATABASE = "postgresql+asyncpg://nobody@127.0.0.1:1/nowhere"


def has_module(service: str, module: str) -> bool:
    """Return whether a service has this module, even if importing it fails."""
    return find_spec(f"services.{service}.{module}") is not None


def find_reactions(names: Sequence[str]) -> ReactionsByFact:
    """Read `CONSUMES` of these services' `events` modules."""
    reactions: dict[type[Fact], list[tuple[str, str]]] = {}
    for name in names:
        if has_module(name, "events"):
            for reaction in _load_reactions(name):
                for fact in reaction.on:
                    reactions.setdefault(fact, []).append((name, reaction.name))
    return reactions


def _load_reactions(name: str) -> Iterator[Reaction[Any]]:  # Any: each feature has its dependencies
    yield from import_module(f"services.{name}.events").CONSUMES


def openapi(name: str) -> dict[str, Any]:
    """Build a service without servers and return the OpenAPI document of its API."""
    service: Service = import_module(f"services.{name}.main").build(_make_host(name))
    document: dict[str, Any] = service.http.openapi()  # type: ignore[attr-defined]  # FastAPI
    return {**document, "servers": [{"url": f"/{name}"}]}


def _make_host(name: str) -> Host:
    return Host(
        bus=MemoryBus(),
        clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        new_id=lambda: UUID(int=0),
        telemetry=NoTelemetry(),
        environment=_make_environment(_settings_class(name)),
    )


def _settings_class(name: str) -> type[Settings]:
    module = import_module(f"services.{name}.settings")
    (settings_class,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Settings) and value is not Settings
    )
    return settings_class


def _make_environment(settings: type[Settings]) -> dict[str, str]:
    """Return values for settings without a default: valid addresses and new keys."""
    return {
        f"{settings.PREFIX}{name.upper()}": _make_value(name)
        for name, field in settings.model_fields.items()
        if field.is_required()
    }


def _make_value(name: str) -> str:
    if name in {"database_url", "relay_url"}:
        return _UNREACHABLE_DATABASE
    if name == "signing_key":
        key = Ed25519PrivateKey.generate()
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    if name.endswith("_key"):
        return Fernet.generate_key().decode()
    return "http://127.0.0.1:1/" if name.endswith("_url") else "nothing"
