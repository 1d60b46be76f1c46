"""Settings of the login to Kafka: TLS, SASL, user. Each may differ from service to service."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.kit.core.settings import read_variables, to_setting_error

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class KafkaSettings(BaseModel):
    """Login settings such as `PREAU_KAFKA_USERNAME`; `COMMUNITY_KAFKA_USERNAME` overrides it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kafka_security_protocol: SecurityProtocol = Field(
        default="PLAINTEXT", description="how to connect to Kafka: TLS, SASL, both or neither"
    )
    kafka_sasl_mechanism: SaslMechanism = Field(
        default="SCRAM-SHA-256", description="how to log in to Kafka"
    )
    kafka_username: str | None = Field(default=None, description="the service's user in Kafka")
    kafka_password: str | None = Field(
        default=None, description="the password of the service's user in Kafka", repr=False
    )
    kafka_ca_file: str | None = Field(
        default=None, description="a PEM file: whom to trust as certifier of the brokers"
    )
    kafka_cert_file: str | None = Field(
        default=None, description="a PEM file: our certificate, where brokers ask for one"
    )
    kafka_key_file: str | None = Field(
        default=None, description="a PEM file: the private key of our certificate"
    )

    @property
    def uses_tls(self) -> bool:
        """Return whether the connection is encrypted."""
        return self.kafka_security_protocol in {"SSL", "SASL_SSL"}

    @property
    def uses_sasl(self) -> bool:
        """Return whether the client logs in with a name and a password."""
        return self.kafka_security_protocol.startswith("SASL_")

    @classmethod
    def for_service(cls, service: str, environment: Mapping[str, str]) -> Self:
        """Read the variables of one service; an empty one counts as not set.

        Raises `SettingError` for the first wrong one.
        """
        prefix = f"{service.upper()}_"
        texts = read_variables(cls, prefix, environment, tuple(KafkaSettings.model_fields))
        try:
            return cls(**texts)  # type: ignore[arg-type]  # pydantic converts the texts
        except ValidationError as error:
            raise to_setting_error(cls, prefix, error) from None

    @model_validator(mode="after")
    def _check_login(self) -> Self:
        """Reject a login with a missing part, or with a part that would be ignored."""
        login = self.kafka_username is not None and self.kafka_password is not None
        if self.uses_sasl and not login:
            raise ValueError("SASL needs KAFKA_USERNAME and KAFKA_PASSWORD")
        if not self.uses_sasl and (self.kafka_username or self.kafka_password):
            raise ValueError("KAFKA_USERNAME and KAFKA_PASSWORD need SASL_SSL or SASL_PLAINTEXT")
        files = (self.kafka_ca_file, self.kafka_cert_file, self.kafka_key_file)
        if not self.uses_tls and any(files):
            raise ValueError("certificates need SSL or SASL_SSL")
        if (self.kafka_cert_file is None) is not (self.kafka_key_file is None):
            raise ValueError("KAFKA_CERT_FILE and KAFKA_KEY_FILE go together")
        self._check_files(files)
        return self

    def _check_files(self, files: tuple[str | None, ...]) -> None:
        """Load the certificates now: a client would only report that it cannot connect."""
        for path in filter(None, files):
            if not Path(path).is_file():
                raise ValueError(f"{path} is no file that can be read")
        try:
            context = ssl.create_default_context(cafile=self.kafka_ca_file)
            if self.kafka_cert_file is not None:
                context.load_cert_chain(self.kafka_cert_file, self.kafka_key_file)
        except (ssl.SSLError, OSError) as error:
            message = f"a certificate or key is no PEM file that can be used ({error})"
            raise ValueError(message) from error
