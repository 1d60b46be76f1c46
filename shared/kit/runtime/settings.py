"""Settings of a service: typed, prefixed environment variables, read in `main` only."""

from collections.abc import Mapping
from dataclasses import fields
from typing import ClassVar, Self

from pydantic import Field, ValidationError, field_validator

from shared.kit.bus.kafka.settings import KafkaSettings
from shared.kit.core.settings import SettingError, read_variables, to_setting_error
from shared.kit.database.overload import LoadLimits
from shared.kit.inbox.retry_limits import RetryLimits
from shared.kit.limiting.route_limits import RouteLimits
from shared.kit.web.client_address import TrustedProxies

__all__ = ["SettingError", "Settings"]


class Settings(KafkaSettings):
    """Settings that every service has; a service adds its own fields.

    `community`'s `database_url` is `COMMUNITY_DATABASE_URL`, else `PREAU_DATABASE_URL`.
    """

    PREFIX: ClassVar[str]

    database_url: str = Field(description="PostgreSQL, as the service's app role", repr=False)
    relay_url: str = Field(description="PostgreSQL, as the role that sees the outbox", repr=False)
    jwks_url: str = Field(description="URL of the public keys (JWKS) that verify access tokens")
    issuer: str = Field(default="https://preau.local", description="issuer of access tokens")
    audience: str = Field(default="preau", description="audience of access tokens")
    owner_url: str | None = Field(
        default=None, description="PostgreSQL, as the owner role: migrations only", repr=False
    )
    redis_url: str | None = Field(
        default=None,
        description="Redis, which counts limits for all processes; without it each process counts",
        repr=False,
    )
    trusted_proxies: str = Field(
        default="",
        description="addresses or networks of trusted proxies (X-Forwarded-For), with commas",
    )
    audit_key: str | None = Field(
        default=None,
        description="Ed25519 private key, as PEM, that signs the heads of audit chains",
        repr=False,
    )
    public_docs: bool = Field(
        default=False, description="serve /docs and /openapi.json without a login: 1 or 0"
    )
    trace_sample: float = Field(
        default=0.1, ge=0, le=1, description="the share of traces to record, 0 to 1"
    )
    shed_outbox_age: float = Field(
        default=LoadLimits.max_outbox_age_seconds,
        gt=0,
        description="age in seconds of the oldest event not sent, above which changes are refused",
    )
    shed_outbox_events: int = Field(
        default=LoadLimits.max_outbox_events,
        ge=0,
        description="number of events not sent, above which changes are refused",
    )
    shed_wait: float = Field(
        default=LoadLimits.max_wait_seconds,
        gt=0,
        description="seconds that a request may wait for a connection before it is refused",
    )
    shed_connections: int = Field(
        default=LoadLimits.pool_size, ge=5, description="connections to the database, at most"
    )
    shed_writes: int = Field(
        default=LoadLimits.max_concurrent_writes,
        ge=1,
        description="changes that run concurrently; the others wait",
    )
    shed_waiting: int = Field(
        default=LoadLimits.max_queue, ge=0, description="changes that may wait for a free slot"
    )
    shed_requests: int = Field(
        default=LoadLimits.max_concurrent_requests,
        ge=1,
        description="API requests that are processed concurrently",
    )

    limit_factor: float = Field(
        default=1, ge=0, description="multiplies all limits of requests below; 0 switches them off"
    )
    limit_reads: int = Field(
        default=RouteLimits.reads, ge=1, description="reads of one member in ten seconds"
    )
    limit_writes: int = Field(
        default=RouteLimits.writes, ge=1, description="changes of one member in ten seconds"
    )
    limit_heavy: int = Field(
        default=RouteLimits.heavy,
        ge=1,
        description="costly requests, such as figures and searches, of one member in ten seconds",
    )
    limit_imports: int = Field(
        default=RouteLimits.imports,
        ge=1,
        description="chunks that one member imports in ten seconds",
    )
    limit_tenant_reads: int = Field(
        default=RouteLimits.tenant_reads, ge=1, description="reads of one tenant in ten seconds"
    )
    limit_tenant_writes: int = Field(
        default=RouteLimits.tenant_writes, ge=1, description="changes of one tenant in ten seconds"
    )
    limit_tenant_heavy: int = Field(
        default=RouteLimits.tenant_heavy,
        ge=1,
        description="costly requests of one tenant in ten seconds",
    )
    limit_tenant_imports: int = Field(
        default=RouteLimits.tenant_imports,
        ge=1,
        description="chunks that one tenant imports in ten seconds",
    )
    inbox_attempts: int = Field(
        default=RetryLimits.max_attempts,
        ge=1,
        description="attempts of a single event, with the database available, before it is parked",
    )
    inbox_starts: int = Field(
        default=RetryLimits.max_starts,
        ge=0,
        description="starts of a consumer without progress before events are applied one by one;"
        " 0 for never",
    )
    inbox_hold_ms: int = Field(
        default=round(RetryLimits.max_hold_seconds * 1000),
        ge=100,
        description="milliseconds of processor time of an attempt, above which a lost transaction"
        " counts as caused by slow code",
    )
    inbox_effect_ms: int = Field(
        default=round(RetryLimits.slow_effect_seconds * 1000),
        ge=1,
        description="milliseconds of an effect in the open transaction, above which it is reported",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, text: str) -> str:
        TrustedProxies.parse(text)
        return text

    def proxies(self) -> TrustedProxies:
        """Return the proxies whose X-Forwarded-For header is trusted."""
        return TrustedProxies.parse(self.trusted_proxies)

    def route_limits(self) -> RouteLimits | None:
        """Return the rate limits of members and tenants; None for no limits."""
        if not self.limit_factor:
            return None
        names = (field.name for field in fields(RouteLimits))
        limits = {name: getattr(self, f"limit_{name}") for name in names}
        return RouteLimits(**limits).scaled_by(self.limit_factor)

    def retry_limits(self) -> RetryLimits:
        """Return the limits for retrying events that fail with a transient error."""
        return RetryLimits(
            max_attempts=self.inbox_attempts,
            max_starts=self.inbox_starts,
            max_hold_seconds=self.inbox_hold_ms / 1000,
            slow_effect_seconds=self.inbox_effect_ms / 1000,
        )

    def load_limits(self) -> LoadLimits:
        """Return the limits above which the service sheds load."""
        return LoadLimits(
            max_outbox_age_seconds=self.shed_outbox_age,
            max_outbox_events=self.shed_outbox_events,
            max_wait_seconds=self.shed_wait,
            pool_size=self.shed_connections,
            max_concurrent_writes=self.shed_writes,
            max_queue=self.shed_waiting,
            max_concurrent_requests=self.shed_requests,
        )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the service's variables; an empty variable counts as not set.

        Raises `SettingError` for the first wrong variable.
        """
        cls._reject_unknown(environment)
        try:
            return cls(**read_variables(cls, cls.PREFIX, environment))  # type: ignore[arg-type]  # pydantic converts the texts
        except ValidationError as error:
            raise to_setting_error(cls, cls.PREFIX, error) from None

    @classmethod
    def _reject_unknown(cls, environment: Mapping[str, str]) -> None:
        names = {f"{cls.PREFIX}{name.upper()}" for name in cls.model_fields}
        for name in environment:
            if name.startswith(cls.PREFIX) and name not in names:
                raise SettingError(f"{name}: no such setting. Known: {', '.join(sorted(names))}.")
