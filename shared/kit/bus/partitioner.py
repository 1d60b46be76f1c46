"""Which partition a key belongs to, as Kafka's Java client reckons it.

Both bodies and every foreign producer must agree on it, else the records of one key lie in two
partitions and lose their order. librdkafka agrees only with `partitioner=murmur2_random`.
"""

from functools import lru_cache
from struct import unpack_from

_SEED = 0x9747B28C
_MULTIPLIER = 0x5BD1E995
_WORD = 0xFFFFFFFF


@lru_cache(maxsize=65_536)
def murmur2(key: bytes) -> int:
    """Hash a key to 32 bits, unsigned.

    Remembered, because keys come again (a conversation has many events) and pure Python takes
    some microseconds for a UUID's 36 characters.
    """
    length = len(key)
    whole = length & ~3
    found = _SEED ^ length
    for word in unpack_from(f"<{whole // 4}I", key):
        mixed = word * _MULTIPLIER & _WORD
        mixed = (mixed ^ (mixed >> 24)) * _MULTIPLIER & _WORD
        found = (found * _MULTIPLIER & _WORD) ^ mixed
    if whole < length:
        found = (found ^ int.from_bytes(key[whole:], "little")) * _MULTIPLIER & _WORD
    found = (found ^ (found >> 13)) * _MULTIPLIER & _WORD
    return found ^ (found >> 15)


def partition_of(key: bytes, partitions: int) -> int:
    """Return which of a topic's partitions holds the records of this key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
