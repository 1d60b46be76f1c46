"""Names and docstrings can be understood at first sight; see CONTRIBUTING.md, "How we write"."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT, python_files
from tests.architecture.wording import IDIOM, NO_OBJECT, PRODUCT, count_wording, vague_names

MAX_PERCENT_IDIOM = 5.0
MAX_PERCENT_NO_OBJECT = 5.0
VAGUE_CONSTANT = re.compile(
    r"_?(\w+_)?(every|most|many|few|soon|later|anew|whole|enough|shown|longest|largest|least"
    r"|slow|wait|limit|pause|patience|again)",
    re.IGNORECASE,
)
"""The last word of a constant says what is counted, in which unit: `MAX_BATCH_ITEMS`."""


def numeric_constants(file: Path) -> Iterator[str]:
    """Yield the names of module constants whose value is a number or a duration."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            target, value = node.target, node.value
        else:
            continue
        is_number = isinstance(value, ast.Constant) and type(value.value) in {int, float}
        is_duration = isinstance(value, ast.Call) and ast.unparse(value.func) == "timedelta"
        if isinstance(target, ast.Name) and target.id.isupper() and (is_number or is_duration):
            yield target.id


@pytest.mark.parametrize("folders", [PRODUCT, ("tests", "examples")], ids=["product", "tests"])
def test_functions_have_no_vague_names(folders: tuple[str, ...]) -> None:
    assert count_wording(*folders).vague == []


def test_docstrings_of_the_product_are_free_of_idiom() -> None:
    wording = count_wording(*PRODUCT)
    assert wording.percent(wording.idiom, wording.docstrings) < MAX_PERCENT_IDIOM, wording.idiom


def test_docstrings_of_the_product_name_their_object() -> None:
    wording = count_wording(*PRODUCT)
    share = wording.percent(wording.no_object, wording.docstrings)
    assert share < MAX_PERCENT_NO_OBJECT, wording.no_object


def test_numeric_constants_name_their_quantity() -> None:
    vague = [
        f"{file.relative_to(ROOT)}: {name}"
        for file in python_files(*PRODUCT)
        for name in numeric_constants(file)
        if VAGUE_CONSTANT.fullmatch(name)
    ]
    assert vague == []


def test_vague_names_and_idiom_are_recognised() -> None:
    (function,) = ast.parse("def _tell(found, *, each):\n    held = [one for one in found]").body
    assert isinstance(function, ast.FunctionDef)
    assert vague_names(function) == ["each", "found", "held", "one", "_tell"]
    assert IDIOM.search("Whoever comes last is told so.")
    assert NO_OBJECT.match("Publish it. Raises …")
    assert not NO_OBJECT.match("Publish a post in a space.")
    assert VAGUE_CONSTANT.fullmatch("POLL_EVERY")
    assert not VAGUE_CONSTANT.fullmatch("POLL_INTERVAL_SECONDS")
