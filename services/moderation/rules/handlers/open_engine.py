"""Builds the engine from the rules that ship with the package, or from a folder of one's own."""

from collections.abc import Callable, Iterator
from datetime import date
from importlib.resources import files
from importlib.resources.abc import Traversable

from services.moderation.rules.domain.rule import RuleRefused
from services.moderation.rules.domain.rule_examples import compile_rules
from services.moderation.rules.handlers.engine import RuleEngine
from services.moderation.text.handlers.open_analyser import open_analyser

_PACKAGE = "services.moderation.rules"


def open_engine(*, today: Callable[[], date], catalogue: Traversable | None = None) -> RuleEngine:
    """Reads lists and rules and proves every rule on its cases: once, when the service is built.

    Raises `RuleRefused` or `LexiconRefused` with one line that names the file and what to change.
    `catalogue` is a folder of TOML files (a `pathlib.Path` will do); ours by default.
    """
    folder = catalogue if catalogue is not None else files(_PACKAGE).joinpath("catalogue")
    reader = open_analyser()
    return RuleEngine(reader, compile_rules(_sources(folder), reader), today=today)


def _sources(folder: Traversable) -> Iterator[tuple[str, str]]:
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            try:
                yield file.name, file.read_text("utf-8")
            except UnicodeDecodeError as wrong:
                raise RuleRefused(file.name, "?", "not UTF-8; save it as UTF-8") from wrong
