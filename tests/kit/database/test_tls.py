"""Each `sslmode` does what libpq's does, on a PostgreSQL with a certificate of our own."""

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
    """Write a certificate that certifies itself, for a host of this name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]), datetime.now(UTC)
    made = (
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
    (folder / "own.crt").write_bytes(made.public_bytes(Encoding.PEM))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "own.key").write_bytes(secret)


@dataclass
class Front:
    """A proxy that speaks TLS, as PostgreSQL does: the embedded build of it cannot."""

    addresses: StackAddresses
    certificate: Path
    port: int = 0
    encrypted: list[bool] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(8)
        asks_for_tls = first[4:] == SSL_REQUEST
        self.encrypted.append(asks_for_tls)
        if asks_for_tls:
            writer.write(b"S")
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(self.certificate, self.certificate.with_suffix(".key"))
            with suppress(OSError):
                await writer.start_tls(context)
        port = urlsplit(self.addresses.postgres).port
        inner, outer = await asyncio.open_connection("127.0.0.1", port)
        if not asks_for_tls:
            outer.write(first)
        with suppress(OSError):
            await asyncio.gather(_pass_on(reader, outer), _pass_on(inner, writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.fixture
async def front(postgres_addresses: StackAddresses, tmp_path: Path) -> AsyncIterator[Front]:
    """A PostgreSQL whose certificate is for `localhost`."""
    write_certificate(tmp_path, "localhost")
    made = Front(postgres_addresses, tmp_path / "own.crt")
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    yield made
    listening.close()


async def is_encrypted(front: Front, query: str) -> bool:
    """Ask for a row through an engine of ours, and tell whether that was encrypted."""
    address, tls = engine_address(with_query(front, query))
    engine = create_async_engine(address, connect_args=tls)
    try:
        async with engine.connect() as connection:
            assert await connection.scalar(sa.text("SELECT 1")) == 1
    finally:
        await engine.dispose()
    return front.encrypted[-1]


def with_query(front: Front, query: str) -> str:
    address = urlsplit(front.addresses.postgres)
    admin = address._replace(netloc=f"x@127.0.0.1:{front.port}", query=query).geturl()
    return replace(front.addresses, postgres=admin).database_url("metrics", "app")


@pytest.mark.parametrize("mode", ["disable", "prefer", "require"])
async def test_mode_decides_whether_it_is_encrypted(front: Front, mode: str) -> None:
    assert await is_encrypted(front, f"sslmode={mode}") is (mode != "disable")


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
async def test_unknown_certifier_is_refused(front: Front, mode: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await is_encrypted(front, f"sslmode={mode}")


async def test_known_certifier_is_trusted_and_another_hosts_name_is_not(front: Front) -> None:
    root = f"sslrootcert={front.certificate}"
    assert await is_encrypted(front, f"sslmode=verify-ca&{root}")
    with pytest.raises(ssl.SSLCertVerificationError):
        await is_encrypted(front, f"sslmode=verify-full&{root}")


async def test_services_address_keeps_the_administrators_mode(front: Front) -> None:
    url = with_query(front, "sslmode=require")
    assert url.endswith("?sslmode=require")
    # As relays and reconcile connect.
    plain = await asyncpg.connect(url.replace("+asyncpg", ""))
    await plain.close()
    assert front.encrypted == [True]


@pytest.mark.parametrize(
    ("query", "words"),
    [("sslmode=on", "sslmode=on is none of"), ("sslrootcert=/nowhere.pem", "cannot be used")],
)
def test_wrong_words_are_one_line(query: str, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        engine_address(f"postgresql+asyncpg://a:hunter2@h/d?{query}")
