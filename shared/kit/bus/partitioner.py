"""The partition of a key: murmur2, as in Kafka's Java client.

All implementations of the bus and every foreign producer must use it, otherwise the records of one
key are in two partitions and lose their order. librdkafka needs `partitioner=murmur2_random`.
"""

from functools import lru_cache
from struct import unpack_from

_SEED = 0x9747B28C
_MULTIPLIER = 0x5BD1E995
_WORD = 0xFFFFFFFF


@lru_cache(maxsize=65_536)
def murmur2(key: bytes) -> int:
    """Hash a key to 32 bits, unsigned.

    Cached, because keys repeat (a conversation has many events) and pure Python takes some
    microseconds for a UUID's 36 characters.
    """
    length = len(key)
    aligned_length = length & ~3
    digest = _SEED ^ length
    for word in unpack_from(f"<{aligned_length // 4}I", key):
        mixed = word * _MULTIPLIER & _WORD
        mixed = (mixed ^ (mixed >> 24)) * _MULTIPLIER & _WORD
        digest = (digest * _MULTIPLIER & _WORD) ^ mixed
    if aligned_length < length:
        tail = int.from_bytes(key[aligned_length:], "little")
        digest = (digest ^ tail) * _MULTIPLIER & _WORD
    digest = (digest ^ (digest >> 13)) * _MULTIPLIER & _WORD
    return digest ^ (digest >> 15)


def partition_of(key: bytes, partitions: int) -> int:
    """Return the number of the partition, out of `partitions`, that holds this key's records."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
