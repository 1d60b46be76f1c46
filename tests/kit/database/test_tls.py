"""Each `sslmode` behaves as in libpq, on a PostgreSQL with a self-signed certificate."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.local.stack import StackAddresses
from shared.kit.core.settings import SettingError
from shared.kit.database.tls import engine_address

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
SSL_REQUEST = (80_877_103).to_bytes(4, "big")


def write_certificate(folder: Path, host: str) -> None:
    """Write a self-signed certificate for a host name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    (folder / "own.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "own.key").write_bytes(secret)


@dataclass
class TlsProxy:
    """A proxy with PostgreSQL's TLS handshake: the embedded PostgreSQL is built without TLS."""

    addresses: StackAddresses
    certificate: Path
    port: int = 0
    encrypted: list[bool] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first_bytes = await reader.readexactly(8)
        requests_tls = first_bytes[4:] == SSL_REQUEST
        self.encrypted.append(requests_tls)
        if requests_tls:
            writer.write(b"S")
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(self.certificate, self.certificate.with_suffix(".key"))
            with suppress(OSError):
                await writer.start_tls(context)
        port = urlsplit(self.addresses.postgres).port
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port)
        if not requests_tls:
            server_writer.write(first_bytes)
        with suppress(OSError):
            await asyncio.gather(_copy(reader, server_writer), _copy(server_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.fixture
async def proxy(postgres_addresses: StackAddresses, tmp_path: Path) -> AsyncIterator[TlsProxy]:
    """A PostgreSQL with a certificate for `localhost`."""
    write_certificate(tmp_path, "localhost")
    proxy = TlsProxy(postgres_addresses, tmp_path / "own.crt")
    listening = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = listening.sockets[0].getsockname()[1]
    yield proxy
    listening.close()


async def is_encrypted(proxy: TlsProxy, query: str) -> bool:
    """Read a row through an engine; return whether the connection was encrypted."""
    address, tls = engine_address(with_query(proxy, query))
    engine = create_async_engine(address, connect_args=tls)
    try:
        async with engine.connect() as connection:
            assert await connection.scalar(sa.text("SELECT 1")) == 1
    finally:
        await engine.dispose()
    return proxy.encrypted[-1]


def with_query(proxy: TlsProxy, query: str) -> str:
    address = urlsplit(proxy.addresses.postgres)
    admin = address._replace(netloc=f"x@127.0.0.1:{proxy.port}", query=query).geturl()
    return replace(proxy.addresses, postgres=admin).database_url("metrics", "app")


@pytest.mark.parametrize("mode", ["disable", "prefer", "require"])
async def test_the_mode_decides_whether_the_connection_is_encrypted(
    proxy: TlsProxy, mode: str
) -> None:
    assert await is_encrypted(proxy, f"sslmode={mode}") is (mode != "disable")


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
async def test_an_unknown_certifier_is_refused(proxy: TlsProxy, mode: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await is_encrypted(proxy, f"sslmode={mode}")


async def test_a_known_certifier_is_trusted_for_its_host_only(proxy: TlsProxy) -> None:
    root = f"sslrootcert={proxy.certificate}"
    assert await is_encrypted(proxy, f"sslmode=verify-ca&{root}")
    with pytest.raises(ssl.SSLCertVerificationError):
        await is_encrypted(proxy, f"sslmode=verify-full&{root}")


async def test_a_services_url_keeps_the_mode_of_the_admin_url(proxy: TlsProxy) -> None:
    url = with_query(proxy, "sslmode=require")
    assert url.endswith("?sslmode=require")
    # As relays and reconcile connect.
    plain = await asyncpg.connect(url.replace("+asyncpg", ""))
    await plain.close()
    assert proxy.encrypted == [True]


@pytest.mark.parametrize(
    ("query", "message"),
    [("sslmode=on", "sslmode=on is none of"), ("sslrootcert=/nowhere.pem", "cannot be used")],
)
def test_an_invalid_parameter_is_a_setting_error(query: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        engine_address(f"postgresql+asyncpg://a:hunter2@h/d?{query}")
