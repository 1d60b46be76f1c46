"""Passwords hashed with argon2id."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from services.identity.sessions.store.hashing_pool import HashingPool, spare_cores

MEMORY_KIB = 19_456
PASSES = 2
LANES = 1
"""One of the settings of OWASP's Password Storage Cheat Sheet; 25 ms of one core, measured."""


class Argon2Hasher:
    """argon2id in a pool of its own; for an unknown member it works as long as for a known one."""

    def __init__(self, pool: HashingPool | None = None) -> None:
        self._pool = pool or HashingPool(spare_cores())
        self._hasher = PasswordHasher(PASSES, MEMORY_KIB, LANES)
        # Compared with when the member is unknown, so that the answer takes as long.
        self._nobody = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """Hash a password. Raises `Overloaded`."""
        return await self._pool.run(lambda: self._hasher.hash(password))

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Compare. Raises `Overloaded`, for unknown members too."""
        return await self._pool.run(lambda: self._matches(password_hash, password))

    def is_outdated(self, password_hash: str) -> bool:
        """See `ports.Hasher`."""
        try:
            return self._hasher.check_needs_rehash(password_hash)
        except InvalidHashError:
            return False

    async def close(self) -> None:
        """Stop the threads."""
        await self._pool.close()

    def _matches(self, password_hash: str | None, password: str) -> bool:
        try:
            self._hasher.verify(password_hash or self._nobody, password)
        except (VerifyMismatchError, InvalidHashError):
            return False
        return password_hash is not None
