"""Each member declares the distributions that it imports, and no others."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

import pytest

from deploy.install.wheels import MEMBERS
from tests.architecture.source_tree import ROOT, imports, python_files

DECLARED_WITHOUT_IMPORT = {
    "httptools": "uvicorn's parser, which shared.kit.web.wire extends, imports it",
}
FIRST_PARTY = frozenset({"shared", "services"})
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@pytest.mark.parametrize("member", MEMBERS)
def test_every_declared_distribution_is_imported_by_its_member(member: str) -> None:
    unused = declared(member) - imported(member) - DECLARED_WITHOUT_IMPORT.keys()
    assert not unused


@pytest.mark.parametrize("member", MEMBERS)
def test_every_imported_distribution_is_declared(member: str) -> None:
    # Every service depends on shared, and may import what shared declares.
    undeclared = imported(member) - declared(member) - declared("shared")
    assert not undeclared


def test_every_exception_is_still_needed() -> None:
    needed = {name for member in MEMBERS for name in declared(member) - imported(member)}
    assert needed == DECLARED_WITHOUT_IMPORT.keys()


def declared(member: str) -> set[str]:
    """Return the normalized names of a member's dependencies, without the members."""
    manifest = tomllib.loads((ROOT / member / "pyproject.toml").read_text())
    names = {_normalize(text) for text in manifest["project"]["dependencies"]}
    return {name for name in names if not name.startswith("preau-")}


@cache
def imported(member: str) -> frozenset[str]:
    """Return the distributions whose modules or data files a member's code uses."""
    modules = {
        module
        for file in python_files(member)
        for module in (*imports(file), *_data_packages(file))
        if module.partition(".")[0] not in FIRST_PARTY | sys.stdlib_module_names
    }
    return frozenset(map(_distribution_of, modules))


def _data_packages(file: Path) -> Iterator[str]:
    """Yield the packages whose data a file reads: `importlib.resources.files("tzdata")`."""
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.Call(func=ast.Name(id="files"), args=[ast.Constant(value=str(package))]):
                yield package


def _distribution_of(name: str) -> str:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        distribution = _installed_modules().get("/".join(parts[:length]))
        if distribution is not None:
            return distribution
    raise LookupError(f"no installed distribution has a module {name}")


@cache
def _installed_modules() -> dict[str, str]:
    """Map the path of every installed module, without its ending, to its distribution."""
    modules: dict[str, str] = {}
    for distribution in distributions():
        name = _normalize(distribution.metadata["Name"])
        for line in (distribution.read_text("RECORD") or "").splitlines():
            path = line.rpartition(",")[0].rpartition(",")[0]
            if path.endswith((".py", ".so")):
                folder, _, file = path.rpartition("/")
                module = f"{folder}/{file.partition('.')[0]}".removeprefix("/")
                modules[module.removesuffix("/__init__")] = name
    return modules


def _normalize(requirement: str) -> str:
    """Return the name in a requirement as PEP 503 compares names."""
    match = _NAME.match(requirement)
    assert match is not None
    return re.sub(r"[-_.]+", "-", match.group()).lower()
