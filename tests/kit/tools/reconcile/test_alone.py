"""Reconciliation shares no code with the modules that it checks."""

import subprocess
import sys

import pytest

from shared.kit.bus import partitioner as frame_partitioner
from shared.kit.tools.reconcile.partitioner import murmur2, partition_of
from tests.architecture.source_tree import ROOT, imports, python_files
from tests.support.murmur2_vectors import SIGNED_HASHES

CHECKED_MODULES = tuple(
    f"shared.kit.{module}"
    for module in (
        *("core.unit_of_work", "database.database", "database.outbox", "database.batched"),
        *("inbox", "relay"),
    )
)
IMPORT_PROGRAM = """
import pkgutil, sys
import shared.kit.tools.reconcile as package
for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
    __import__(module.name)
print("\\n".join(sys.modules))
"""


def test_reconciliation_does_not_import_checked_modules() -> None:
    forbidden = [
        (file.name, name)
        for file in python_files("shared/kit/tools/reconcile")
        for name in imports(file)
        if f"{name}.".startswith(CHECKED_MODULES)
    ]
    assert not forbidden


def test_reconciliation_does_not_load_checked_modules_indirectly() -> None:
    result = subprocess.run(
        [sys.executable, "-c", IMPORT_PROGRAM], check=True, capture_output=True, text=True, cwd=ROOT
    )
    loaded = set(result.stdout.splitlines())
    assert "shared.kit.tools.reconcile.groups" in loaded
    assert not {name for name in loaded if name.startswith(CHECKED_MODULES)}


@pytest.mark.parametrize(("key", "signed_hash"), SIGNED_HASHES)
def test_murmur2_matches_kafka_test_vectors(key: bytes, signed_hash: int) -> None:
    """Vectors of Apache Kafka's own test, `UtilsTest.testMurmur2`."""
    assert murmur2(key) == signed_hash % 2**32


def test_both_partitioners_agree() -> None:
    keys = [f"{number}:é{number * 7919}".encode() for number in range(2000)]
    assert [partition_of(key, 8) for key in keys] == [
        frame_partitioner.partition_of(key, 8) for key in keys
    ]
