"""Signatures (Ed25519) of the last hashes of audit chains."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from shared.contracts.audit import AuditSealed

_PUBLIC_KEYS = re.compile(r"-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----")


class NotAnEd25519Key(ValueError):
    """The text is not an Ed25519 key in PEM."""


def _signed_bytes(service: str, fact: AuditSealed) -> bytes:
    heads = [[head.member_id, head.number, head.hash] for head in fact.heads]
    return msgspec.json.encode([service, fact.tenant_id, fact.through, heads])


def _key_id(key: Ed25519PublicKey) -> str:
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


@dataclass(frozen=True)
class AuditSigner:
    """Signs the last hashes of one service's chains."""

    service: str
    _key: Ed25519PrivateKey

    @classmethod
    def from_pem(cls, service: str, pem: str) -> "AuditSigner":
        """Load a private key from PEM. Raises `NotAnEd25519Key`."""
        try:
            key = load_pem_private_key(pem.encode(), None)
        except (ValueError, TypeError) as error:
            raise NotAnEd25519Key(str(error)) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise NotAnEd25519Key(type(key).__name__)
        return cls(service, key)

    def sign(self, fact: AuditSealed) -> AuditSealed:
        """Return a copy of the fact with its signature."""
        return msgspec.structs.replace(
            fact,
            key_id=_key_id(self._key.public_key()),
            signature=self._key.sign(_signed_bytes(self.service, fact)),
        )


def public_pem(private_pem: str) -> str:
    """Return the public key of a private key, as PEM. Raises `NotAnEd25519Key`."""
    key = AuditSigner.from_pem("", private_pem)._key.public_key()  # noqa: SLF001  the same module
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@dataclass(frozen=True)
class AuditKeys:
    """The public keys by id; a replaced key stays here to verify old signatures."""

    keys: Mapping[str, Ed25519PublicKey]

    @classmethod
    def from_pems(cls, pems: str) -> "AuditKeys":
        """Load concatenated public keys from PEM. Raises `NotAnEd25519Key`."""
        keys = {}
        for pem in _PUBLIC_KEYS.findall(pems):
            try:
                key = load_pem_public_key(pem.encode())
            except ValueError as error:
                raise NotAnEd25519Key(str(error)) from error
            if not isinstance(key, Ed25519PublicKey):
                raise NotAnEd25519Key(type(key).__name__)
            keys[_key_id(key)] = key
        if pems.strip() and not keys:
            raise NotAnEd25519Key("no public key in PEM")
        return cls(keys)

    def find_problem(self, service: str, fact: AuditSealed) -> str | None:
        """Return why a fact's signature is not valid; None when it is valid."""
        if fact.signature is None or fact.key_id is None:
            return "not signed"
        key = self.keys.get(fact.key_id)
        if key is None:
            return f"signed with a key that is not known: {fact.key_id}"
        try:
            key.verify(fact.signature, _signed_bytes(service, fact))
        except InvalidSignature:
            return "its signature does not hold"
        return None
