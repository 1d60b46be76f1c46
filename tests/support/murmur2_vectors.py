"""Test vectors of Kafka's murmur2, from Apache Kafka's own test `UtilsTest.testMurmur2`."""

SIGNED_HASHES = [
    (b"21", -973932308),
    (b"foobar", -790332482),
    (b"a-little-bit-long-string", -985981536),
    (b"a-little-bit-longer-string", -1486304829),
    (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    (b"abc", 479470107),
]
"""Keys and their hashes, as signed 32-bit numbers."""
