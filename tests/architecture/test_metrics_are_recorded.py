"""Every metric of the catalogue is recorded somewhere: a dashboard without data looks healthy."""

import ast

from shared.kit.telemetry.metric_catalogue import METRICS
from tests.architecture.source_tree import ROOT, python_files

CATALOGUE = ROOT / "shared/kit/telemetry/metric_catalogue.py"


def string_constants() -> set[str]:
    """Return the string constants of the product, outside of the catalogue itself."""
    texts: set[str] = set()
    for file in python_files("shared", "services"):
        if file == CATALOGUE:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
    return texts


def test_every_metric_is_recorded_somewhere() -> None:
    assert set(METRICS) <= string_constants()
