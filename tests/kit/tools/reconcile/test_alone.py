"""The checker shares no code with what it checks."""

import subprocess
import sys

import pytest

from shared.kit.bus import partitioner as ours
from shared.kit.tools.reconcile.partitioner import murmur2, partition_of
from tests.architecture.tree import ROOT, imports, python_files

CHECKED = tuple(
    f"shared.kit.{module}"
    for module in (
        *("core.unit_of_work", "database.database", "database.outbox", "database.batched"),
        *("inbox", "relay"),
    )
)
IMPORT = """
import pkgutil, sys
import shared.kit.tools.reconcile as package
for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
    __import__(module.name)
print("\\n".join(sys.modules))
"""


def test_no_module_of_the_checker_names_what_it_checks() -> None:
    named = [
        (file.name, name)
        for file in python_files("shared/kit/tools/reconcile")
        for name in imports(file)
        if f"{name}.".startswith(CHECKED)
    ]
    assert not named


def test_nor_does_it_load_it_by_way_of_another() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT], check=True, capture_output=True, text=True, cwd=ROOT
    )
    loaded = set(done.stdout.splitlines())
    assert "shared.kit.tools.reconcile.groups" in loaded
    assert not {name for name in loaded if name.startswith(CHECKED)}


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_it_hashes_as_kafka_does(key: bytes, hashed: int) -> None:
    """The numbers are those of Apache Kafka's own test, `UtilsTest.testMurmur2`."""
    assert murmur2(key) == hashed % 2**32


def test_both_of_our_hashes_agree() -> None:
    keys = [f"{number}:é{number * 7919}".encode() for number in range(2000)]
    assert [partition_of(key, 8) for key in keys] == [ours.partition_of(key, 8) for key in keys]
