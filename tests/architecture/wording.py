"""Counts vague names and idiom in the code: `python -m tests.architecture.wording [--list]`.

A vague local says how a value was obtained ("found") or that it exists ("one"), not what it is.
An idiom is an expression that a reader with English as a second language cannot look up.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.architecture.source_tree import ROOT, python_files

PRODUCT = ("services", "shared", "deploy")
VAGUE_LOCALS = frozenset(
    "found told said each asked held seen given kept made one others known opened answer place "
    "thing things mine theirs ours whom wanted gone heard todo somebody".split()
)
PRODUCT_TERMS = {
    # A post of the kind "answer" (ADR 9), and the API's field with the answer to an appeal.
    "services/": frozenset({"answer"}),
    "tests/community": frozenset({"answer"}),
    # The API's query parameter with the position of a dead letter.
    "shared/kit/web/dead_letters.py": frozenset({"place"}),
}
"""Names that are vague elsewhere, by path, and a term of the product or its API here."""
VAGUE_VERBS = re.compile(r"_?(tell|know|look|pass|settle|told|ring|knock|blame)(_|$)")
IDIOM = re.compile(
    r"\b(whoever|whatever|whom|nobody|somebody|anybody|everybody|nobody's)\b"
    r"|\bwho (comes|is|has|are|have|was|may|asks|reads|writes|knows)\b"
    r"|\b(those|that|he|she|one) who\b|\bthose that\b|\bwhat (comes|goes|is|was|has|stands)\b"
    r"|\b(is|are|was|were|be|been|being) told\b|\btells?\b|\bhears?\b|\bheard\b|\bsays? so\b"
    r"|\bstands?\b|\blives in\b|\bdies\b|\bborn\b|\bgives? up\b|\bgo(es)? on\b|\bin hand\b"
    r"|\bby (itself|themselves|himself)\b|\bof (its|their|his|her|our|your) own\b|\bone's\b"
    r"|\bits turn\b|\ball the same\b|\bon (its|the) way\b|\bat most once more\b|\bfor good\b"
    r"|\bhouse\b|\bdoor\b|\broom\b|\bparlour\b|\bstranger\b|\bneighbour\b|\bleash\b",
    re.IGNORECASE,
)
NO_OBJECT = re.compile(
    r"^[A-Z][a-z]+ (it|them|this|that|one|both|all|so|anew)"
    r"(?=[.;,:]| \w+ed\b| when| if| to | from | with | into )"
)


@dataclass
class Wording:
    """Totals of some files, and the place of each vague name and idiom."""

    functions: int = 0
    docstrings: int = 0
    vague: list[str] = field(default_factory=list)
    idiom: list[str] = field(default_factory=list)
    no_object: list[str] = field(default_factory=list)

    def percent(self, faults: list[str], total: int) -> float:
        """Return the share of faults in percent of a total."""
        return 100 * len(faults) / max(total, 1)


Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module


def count_wording(*folders: str) -> Wording:
    """Count vague locals and idiom in the Python files of these folders of the repository."""
    wording = Wording()
    for file in python_files(*folders):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        path = file.relative_to(ROOT)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                _count_function(wording, path, node)
            if isinstance(node, Documented):
                _count_docstring(wording, path, node)
    return wording


def vague_names(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Return the vague names that a function binds, and its own name if that is vague."""
    names = sorted(_bound(node) & VAGUE_LOCALS)
    return [*names, *([node.name] if VAGUE_VERBS.fullmatch(node.name) else [])]


def _count_function(
    wording: Wording, path: Path, node: ast.FunctionDef | ast.AsyncFunctionDef
) -> None:
    wording.functions += 1
    terms = {
        term
        for prefix, words in PRODUCT_TERMS.items()
        if path.as_posix().startswith(prefix)
        for term in words
    }
    names = [name for name in vague_names(node) if name not in terms]
    if names:
        wording.vague.append(f"{path}:{node.lineno} {node.name}: {', '.join(names)}")


def _count_docstring(wording: Wording, path: Path, node: Documented) -> None:
    text = ast.get_docstring(node)
    if not text:
        return
    wording.docstrings += 1
    line = getattr(node, "lineno", 1)
    first = " ".join(text.split("\n\n")[0].split())
    if match := IDIOM.search(first):
        wording.idiom.append(f"{path}:{line} “{match.group()}”: {first[:90]}")
    if NO_OBJECT.match(first):
        wording.no_object.append(f"{path}:{line} {first[:90]}")


def _bound(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Return the parameters and local names of a function, not those of functions inside it."""
    arguments = function.args
    parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return {item.arg for item in parameters} | {
        node.id
        for node in _own_nodes(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        yield child
        yield from _own_nodes(child)


def main(arguments: list[str]) -> None:
    """Print the figures of product and tests; with `--list` each fault."""
    for label, folders in (("product", PRODUCT), ("tests", ("tests",))):
        wording = count_wording(*folders)
        print(
            f"{label}: {wording.functions} functions,"
            f" {wording.percent(wording.vague, wording.functions):.1f} % with a vague name;"
            f" {wording.docstrings} docstrings,"
            f" {wording.percent(wording.idiom, wording.docstrings):.1f} % with idiom,"
            f" {wording.percent(wording.no_object, wording.docstrings):.1f} % without an object"
        )
        if "--list" in arguments:
            faults = [*wording.vague, *wording.idiom, *wording.no_object]
            print("\n".join(f"  {fault}" for fault in faults))


if __name__ == "__main__":
    main(sys.argv[1:])
