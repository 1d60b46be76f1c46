"""Settings of the services of a platform harness: new keys, own databases, no rate limits."""

from collections.abc import Mapping

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from deploy.local.stack import StackAddresses
from tests.support.platform_databases import SERVICE_NAMES, database_of

JWKS_URL = "http://identity.test/.well-known/jwks.json"


def build_environment(addresses: StackAddresses, prefix: str) -> Mapping[str, str]:
    """Return the settings of all services; `prefix` begins the names of the databases."""
    signing_key = Ed25519PrivateKey.generate()
    pem = signing_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    environment = {
        "PREAU_JWKS_URL": JWKS_URL,
        # Journeys send many requests of few users; rate limits have their own tests.
        "PREAU_LIMIT_FACTOR": "1000",
        "PREAU_PUBLIC_DOCS": "1",
        "IDENTITY_SIGNING_KEY": pem,
        "PREAU_AUDIT_KEY": pem,
        "MODERATION_SEAL_KEY": Fernet.generate_key().decode(),
        "MODERATION_SCREENING_WORKERS": "0",
    }
    for name in SERVICE_NAMES:
        environment[f"{name.upper()}_DATABASE_URL"] = database_of(addresses, prefix, name, "app")
        environment[f"{name.upper()}_RELAY_URL"] = database_of(addresses, prefix, name, "relay")
    return environment
