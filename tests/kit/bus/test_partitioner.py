"""The partition of a key is the Java client's."""

import pytest

from shared.kit.bus.partitioner import murmur2, partition_of


@pytest.mark.parametrize(
    ("key", "signed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_is_that_of_the_java_client(key: bytes, signed: int) -> None:
    """These values stand in Apache Kafka's own UtilsTest."""
    assert murmur2(key) == signed % 2**32


def test_every_partition_is_used_and_none_beyond() -> None:
    used = {partition_of(str(number).encode(), 8) for number in range(200)}
    assert used == set(range(8))
