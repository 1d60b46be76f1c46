"""Lexicons: lists of words with a category and a weight.

A list is a TOML file, `language` and then `[[entry]]` tables: `category`, `weight` (0 to 1: how
surely the word alone means harm), `forms` (every plural, feminine and elided variant written out;
`(a|b)` is either), and `only_here = true` where the word is an ordinary one in another language
("retard", "con"): it counts only in a text of this list's language. Instead of `forms`, `phrases`
are matched without being written out (`phrases.py`). `senses` names the ordinary senses of a word
(`senses.py`); with `imperative = true` the phrase must open its clause ("va mourir", not "il va
mourir"). `[[ordinary]]` tables contain innocent phrases ("nègre littéraire") that override the word
inside.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final, Literal, get_args

from services.moderation.text.domain.phrases import PhraseRefused, expand_classes

Category = Literal[
    "insult", "slur", "threat", "sexual", "self_harm", "harassment", "coercion", "danger"
]
CATEGORIES: Final[tuple[Category, ...]] = get_args(Category)
_FIELDS: Final = frozenset(
    {"category", "weight", "forms", "phrases", "only_here", "senses", "imperative"}
)
_CHOICE = re.compile(r"\(([^()]*)\)")


class LexiconRefused(ValueError):
    """A list that cannot be used: the file, the entry, and what to change."""

    def __init__(self, file: str, entry: str, why: str) -> None:
        super().__init__(f"{file}: {entry}: {why}")


@dataclass(frozen=True, slots=True)
class LexiconEntry:
    """One form as written in the list; an ordinary phrase has no category and no weight.

    With `phrases`, the entry represents all of them and `form` is the first.
    """

    form: str
    language: str
    category: Category | None
    weight: float
    only_here: bool = False
    phrases: tuple[str, ...] = ()
    senses: tuple[str, ...] = ()
    imperative: bool = False


def parse_lexicon(file: str, source: str) -> tuple[LexiconEntry, ...]:
    """Parse a list. Raises `LexiconRefused` with the file and the entry."""
    try:
        content = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise LexiconRefused(file, "file", str(error)) from error
    language = content.get("language")
    if not isinstance(language, str):
        raise LexiconRefused(file, "file", 'name its language, such as language = "fr"')
    classes = content.get("classes", {})
    entries = [
        entry
        for number, table in enumerate(content.get("entry", ()), 1)
        for entry in _parse_entry(file, f"entry {number}", table, language, classes)
    ]
    entries += [
        LexiconEntry(form, language, None, 0.0)
        for number, table in enumerate(content.get("ordinary", ()), 1)
        for form in _parse_forms(file, f"ordinary {number}", table)
    ]
    _check_duplicates(file, entries)
    return tuple(entries)


def _parse_entry(
    file: str,
    where: str,
    table: Mapping[str, object],
    language: str,
    classes: Mapping[str, str],
) -> Iterator[LexiconEntry]:
    phrases = _parse_phrases(file, where, table, classes)
    forms = phrases[:1] if phrases else _parse_forms(file, where, table)
    where = f"{where} ({forms[0]})"
    if unknown := set(table) - _FIELDS:
        raise LexiconRefused(file, where, f"unknown field {min(unknown)}")
    category, weight = table.get("category"), table.get("weight")
    if category not in CATEGORIES:
        raise LexiconRefused(file, where, f"category is one of {', '.join(CATEGORIES)}")
    if not isinstance(weight, float) or not 0 < weight <= 1:
        raise LexiconRefused(file, where, "weight is a number above 0, at most 1, such as 0.6")
    senses = table.get("senses", ())
    if not isinstance(senses, list | tuple):
        raise LexiconRefused(file, where, 'senses is a list of names, such as ["animal"]')
    for form in forms:
        yield LexiconEntry(
            form,
            language,
            category,
            weight,
            only_here=table.get("only_here") is True,
            phrases=tuple(phrases),
            senses=tuple(senses),
            imperative=table.get("imperative") is True,
        )


def _parse_phrases(
    file: str, where: str, table: Mapping[str, object], classes: Mapping[str, str]
) -> list[str]:
    phrases = table.get("phrases", [])
    if not isinstance(phrases, list) or ("forms" in table and "phrases" in table):
        raise LexiconRefused(file, where, "give forms or phrases, a list of words")
    try:
        return [expand_classes(str(phrase), classes) for phrase in phrases]
    except PhraseRefused as error:
        raise LexiconRefused(file, where, str(error)) from error


def _parse_forms(file: str, where: str, table: Mapping[str, object]) -> list[str]:
    forms = table.get("forms")
    if not isinstance(forms, list) or not forms or not all(isinstance(f, str) for f in forms):
        raise LexiconRefused(file, where, 'forms is a list of words, such as ["idiot", "idiote"]')
    return [form for written in forms for form in expand_choices(written)]


def expand_choices(form: str) -> Iterator[str]:
    """Yield both phrases of "(je vais|on va) te tuer"; an empty choice leaves the word out."""
    parts = _CHOICE.split(form)
    for chosen in product(
        *(part.split("|") if index % 2 else [part] for index, part in enumerate(parts))
    ):
        yield " ".join("".join(chosen).split())


def _check_duplicates(file: str, entries: Iterable[LexiconEntry]) -> None:
    forms: set[str] = set()
    for entry in entries:
        if entry.form in forms:
            raise LexiconRefused(file, entry.form, "is listed twice; keep one")
        forms.add(entry.form)
