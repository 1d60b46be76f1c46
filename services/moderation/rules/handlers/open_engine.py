"""Build the engine from the rules that ship with the package, or from another folder."""

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
    """Load lists and rules and check every rule on its examples; called once, at the start.

    Raises `RuleRefused` or `LexiconRefused` with one line that names the file and what to change.
    `catalogue` is a folder of TOML files (a `pathlib.Path` is accepted); by default the package's
    own.
    """
    folder = catalogue if catalogue is not None else files(_PACKAGE).joinpath("catalogue")
    analyser = open_analyser()
    return RuleEngine(analyser, compile_rules(_read_sources(folder), analyser), today=today)


def _read_sources(folder: Traversable) -> Iterator[tuple[str, str]]:
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            try:
                yield file.name, file.read_text("utf-8")
            except UnicodeDecodeError as error:
                raise RuleRefused(file.name, "?", "not UTF-8; save it as UTF-8") from error
