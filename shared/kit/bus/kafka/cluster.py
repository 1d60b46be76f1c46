"""The Kafka cluster to connect to and the login, shared by all clients of a process."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.kit.bus.kafka.settings import KafkaSettings

Options = dict[str, Any]  # Any: keyword arguments of a client without types


@dataclass(frozen=True)
class Cluster:
    """Bootstrap addresses (`host:port`, several with commas) and the settings of the login.

    The default is a broker without TLS and without users.
    """

    bootstrap: str
    login: KafkaSettings = field(default_factory=KafkaSettings)

    @classmethod
    def from_environment(
        cls, service: str, environment: Mapping[str, str], bootstrap: str
    ) -> "Cluster":
        """Read the login of a service from its environment. Raises `SettingError`."""
        return cls(bootstrap, KafkaSettings.for_service(service, environment))

    @property
    def user(self) -> str | None:
        """The user name of this process in Kafka; None without a login."""
        return self.login.kafka_username

    def client_options(self) -> Options:
        """Return the keyword arguments to connect any client of aiokafka."""
        return {"bootstrap_servers": self.bootstrap, **self.security_options()}

    def security_options(self) -> Options:
        """Return the keyword arguments for TLS and login, without the address."""
        login = self.login
        options: Options = {"security_protocol": login.kafka_security_protocol}
        if login.uses_tls:
            options["ssl_context"] = self._make_tls_context()
        if login.uses_sasl:
            options["sasl_mechanism"] = login.kafka_sasl_mechanism
            options["sasl_plain_username"] = login.kafka_username
            options["sasl_plain_password"] = login.kafka_password
        return options

    def _make_tls_context(self) -> ssl.SSLContext:
        # The default context checks the certificate's chain and the host name.
        context = ssl.create_default_context(cafile=self.login.kafka_ca_file)
        if self.login.kafka_cert_file is not None:
            context.load_cert_chain(self.login.kafka_cert_file, self.login.kafka_key_file)
        return context
