"""Password hashing with argon2id."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from services.identity.sessions.store.hashing_pool import HashingPool, spare_cores

MEMORY_KIB = 19_456
PASSES = 2
LANES = 1
"""Parameters from OWASP's Password Storage Cheat Sheet; 25 ms of one core, measured."""


class Argon2Hasher:
    """See `ports.Hasher`: argon2id in a thread pool, in equal time for unknown members."""

    def __init__(self, pool: HashingPool | None = None) -> None:
        self._pool = pool or HashingPool(spare_cores())
        self._hasher = PasswordHasher(PASSES, MEMORY_KIB, LANES)
        # Compared with for an unknown member, so that the response takes equally long.
        self._dummy_hash = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """Hash a password. Raises `Overloaded`."""
        return await self._pool.run(lambda: self._hasher.hash(password))

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Compare a password with a hash. Raises `Overloaded`, for unknown members too."""
        return await self._pool.run(lambda: self._matches(password_hash, password))

    def is_outdated(self, password_hash: str) -> bool:
        try:
            return self._hasher.check_needs_rehash(password_hash)
        except InvalidHashError:
            return False

    async def close(self) -> None:
        await self._pool.close()

    def _matches(self, password_hash: str | None, password: str) -> bool:
        try:
            self._hasher.verify(password_hash or self._dummy_hash, password)
        except (VerifyMismatchError, InvalidHashError):
            return False
        return password_hash is not None
