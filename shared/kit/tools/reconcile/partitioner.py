"""Which partition Kafka's Java client gives a key: murmur2, written down a second time.

On purpose not the frame's own: the checker must not repeat its errors.
"""

from functools import lru_cache

_MASK = 0xFFFFFFFF
_M = 0x5BD1E995
_SEED = 0x9747B28C


def murmur2(key: bytes) -> int:
    """Hash bytes to 32 bits, unsigned."""
    state = (_SEED ^ len(key)) & _MASK
    position = 0
    while len(key) - position >= 4:  # noqa: PLR2004  a word has four bytes
        word = int.from_bytes(key[position : position + 4], "little") * _M & _MASK
        word = (word ^ word >> 24) * _M & _MASK
        state = (state * _M & _MASK) ^ word
        position += 4
    rest = key[position:]
    if rest:
        state = (state ^ int.from_bytes(rest, "little")) * _M & _MASK
    state = (state ^ state >> 13) * _M & _MASK
    return state ^ state >> 15


@lru_cache(maxsize=65_536)
def partition_of(key: bytes, partitions: int) -> int:
    """Return which of so many partitions holds a key."""
    return murmur2(key) % 2**31 % partitions
