"""SASL_SSL on a real broker: a trusted certificate lets us in, another one stops the start."""

import asyncio
import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from deploy.local import kafka, kafka_users
from deploy.local.choices import ServerName
from deploy.local.home import find_free_port
from deploy.local.servers import change_owner
from deploy.local.stack import Stack
from shared.kit.bus.kafka import Cluster, KafkaBus
from shared.kit.bus.kafka.login import check_login
from shared.kit.core.bus import Topic
from shared.kit.core.errors import Invalid

pytestmark = [pytest.mark.system, pytest.mark.allow_hosts(["127.0.0.1"])]
KAFKA: frozenset[ServerName] = frozenset({"kafka"})


def make_certificate() -> tuple[bytes, bytes]:
    """Return a key and a certificate for this machine's own address, both as PEM."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    here, now = x509.IPAddress(ipaddress.ip_address("127.0.0.1")), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([here]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return secret, certificate.public_bytes(Encoding.PEM)


class SecureStack(Stack):
    """The stack with a second listener of its broker, which speaks TLS."""

    def __init__(self, home: Path, secure_port: int, pem: bytes) -> None:
        super().__init__(home, server_names=KAFKA, fast=True)
        self._secure_port, self._pem = secure_port, pem

    def _configure_kafka(self, listening: kafka.BrokerListener) -> None:
        """Java takes the last of two lines for a name."""
        folder, clients = kafka.kafka_folder(self._home), kafka_users.LISTENER
        keys = folder / "broker.pem"
        keys.write_bytes(self._pem)
        change_owner(folder, keys)
        direct = f"{clients}://127.0.0.1:{listening.port}"
        secure = f"SECURE://127.0.0.1:{self._secure_port}"
        own = f"listener.name.{clients.lower()}."
        lines = {
            "listeners": f"{direct},{secure},CONTROLLER://127.0.0.1:{listening.controller_port}",
            "advertised.listeners": f"{direct},{secure}",
            "listener.security.protocol.map": (
                f"{clients}:SASL_PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:SASL_PLAINTEXT"
            ),
            "listener.name.secure.ssl.keystore.type": "PEM",
            "listener.name.secure.ssl.keystore.location": "broker.pem",
        } | {
            f"listener.name.secure.{name.removeprefix(own)}": value
            for name, value in listening.settings().items()
            if name.startswith(own)
        }
        with (folder / kafka.SETTINGS_FILE).open("a", encoding="ascii") as file:
            file.writelines(f"{name}={value}\n" for name, value in lines.items())


async def test_trusted_certificate_lets_in_and_another_is_refused(tmp_path: Path) -> None:
    secret, certificate = make_certificate()
    _, other_certificate = make_certificate()
    trusted, other, port = tmp_path / "ca.pem", tmp_path / "other.pem", find_free_port()
    await asyncio.to_thread(trusted.write_bytes, certificate)
    await asyncio.to_thread(other.write_bytes, other_certificate)
    async with SecureStack(tmp_path / "home", port, secret + certificate) as addresses:
        environment = addresses.kafka_variables("community") | {
            "COMMUNITY_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"
        }

        def trusting(file: Path) -> Cluster:
            settings = environment | {"PREAU_KAFKA_CA_FILE": os.fspath(file)}
            return Cluster.from_environment("community", settings, f"127.0.0.1:{port}")

        await check_login(trusting(trusted))
        bus = KafkaBus(trusting(trusted), client_id="tls")
        await bus.ensure_topics([Topic("community.post")])
        assert (await bus.get_log_bounds(["community.post"])).end
        await bus.close()
        with pytest.raises(Invalid, match="certificate verify failed"):
            await check_login(trusting(other))
