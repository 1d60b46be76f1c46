"""The partition of a key equals that of the Java client."""

import pytest

from shared.kit.bus.partitioner import murmur2, partition_of
from tests.support.murmur2_vectors import SIGNED_HASHES


@pytest.mark.parametrize(("key", "signed_hash"), SIGNED_HASHES)
def test_hash_equals_that_of_the_java_client(key: bytes, signed_hash: int) -> None:
    assert murmur2(key) == signed_hash % 2**32


def test_every_partition_is_used() -> None:
    used = {partition_of(str(number).encode(), 8) for number in range(200)}
    assert used == set(range(8))
