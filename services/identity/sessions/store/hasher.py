"""Passwords hashed with argon2id."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError


class Argon2Hasher:
    """argon2id with the library's own parameters; about 30 ms of a thread each."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        # Compared with when the member is unknown, so that the answer takes as long.
        self._nobody = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """Hash a password."""
        return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Compare."""
        return await asyncio.to_thread(self._matches, password_hash, password)

    def _matches(self, password_hash: str | None, password: str) -> bool:
        try:
            self._hasher.verify(password_hash or self._nobody, password)
        except (VerifyMismatchError, InvalidHashError):
            return False
        return password_hash is not None
