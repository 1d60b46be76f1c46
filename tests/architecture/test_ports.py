"""A port has five methods or fewer, so that one implementation has one purpose."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source_tree import ROOT, dotted

MAX_METHODS = 5


def test_no_port_has_more_than_five_methods() -> None:
    larger = {name for name, methods in _ports() if methods > MAX_METHODS}
    assert larger == set()


def _ports() -> Iterator[tuple[str, int]]:
    files = (*ROOT.glob("services/*/*/ports.py"), *ROOT.glob("shared/kit/core/**/*.py"))
    return (port for file in files for port in _protocols(file))


def _protocols(file: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ClassDef) and any(map(_is_protocol, node.bases)):
            methods = [
                child
                for child in node.body
                if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            ]
            yield f"{dotted(file)}.{node.name}", len(methods)


def _is_protocol(base: ast.expr) -> bool:
    return ast.unparse(base).partition("[")[0] == "Protocol"
