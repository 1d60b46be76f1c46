"""Partitioner of Kafka's Java client (murmur2), implemented a second time.

Independent of the kit's partitioner, so that reconciliation does not repeat its errors.
"""

from functools import lru_cache

_MASK = 0xFFFFFFFF
_M = 0x5BD1E995
_SEED = 0x9747B28C


def murmur2(key: bytes) -> int:
    """Hash bytes to an unsigned 32-bit number."""
    state = (_SEED ^ len(key)) & _MASK
    position = 0
    while len(key) - position >= 4:  # noqa: PLR2004  a word has four bytes
        word = int.from_bytes(key[position : position + 4], "little") * _M & _MASK
        word = (word ^ word >> 24) * _M & _MASK
        state = (state * _M & _MASK) ^ word
        position += 4
    tail = key[position:]
    if tail:
        state = (state ^ int.from_bytes(tail, "little")) * _M & _MASK
    state = (state ^ state >> 13) * _M & _MASK
    return state ^ state >> 15


@lru_cache(maxsize=65_536)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key in a topic with this number of partitions."""
    return murmur2(key) % 2**31 % partitions
