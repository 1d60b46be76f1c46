"""Limits on the length of files and functions."""

import ast
from pathlib import Path

from tests.architecture.source_tree import dotted, python_files

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40


def test_no_file_is_longer_than_300_lines() -> None:
    long = {
        dotted(file): lines for file in python_files() if (lines := _lines(file)) > MAX_FILE_LINES
    }
    assert not long


def test_no_function_is_longer_than_40_lines() -> None:
    long = {
        f"{dotted(file)}.{function.name}": length
        for file in python_files()
        for function in ast.walk(ast.parse(file.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := _length(function)) > MAX_FUNCTION_LINES
    }
    assert not long


def _lines(file: Path) -> int:
    return len(file.read_text().splitlines())


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1
