"""The source files of the repository, for the tests of this folder."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICES = tuple(sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml")))
SOURCE_FOLDERS = ("services", "shared", "deploy", "examples", "tests")

FEATURE_MODULES = frozenset(
    {"api", "pages", "cli", "reactions", "jobs", "store", "tables"}
    | {"handlers", "policy", "ports", "domain"}
)
# Modules of a service that belong to no feature.
SERVICE_MODULES = frozenset({"main", "features", "events", "projections", "settings"})
NOT_FEATURES = frozenset({"migrations", "templates", "locale", "static", "__pycache__"})


def python_files(*folders: str) -> Iterator[Path]:
    """Yield the Python files of the named folders of the repository."""
    for folder in folders or SOURCE_FOLDERS:
        yield from sorted((ROOT / folder).rglob("*.py"))


def features() -> Iterator[Path]:
    """Yield the folder of every feature of every service."""
    for service in SERVICES:
        for folder in sorted((ROOT / "services" / service).iterdir()):
            if folder.is_dir() and folder.name not in NOT_FEATURES:
                yield folder


def dotted(file: Path) -> str:
    """Return the name under which a file is imported."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(file: Path) -> Iterator[str]:
    """Yield every dotted name that a file imports, wherever in the file it does."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{name.name}" for name in node.names)
