"""Every metric of the closed list is told by somebody: a dashboard on silence shows peace."""

import ast

from shared.kit.telemetry.metric_catalogue import METRICS
from tests.architecture.tree import ROOT, python_files

LIST = ROOT / "shared/kit/telemetry/metric_catalogue.py"


def told() -> set[str]:
    """The names that stand as texts in the code, outside of the list itself."""
    texts: set[str] = set()
    for file in python_files("shared", "services"):
        if file == LIST:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
    return texts


def test_each_metric_is_told_somewhere() -> None:
    assert set(METRICS) <= told()
