"""Builds the reader from the lists that ship with the package."""

import json
from collections.abc import Iterator
from importlib.resources import files

from services.moderation.text.domain.folding import Folding, lookalikes
from services.moderation.text.domain.lexicon import Entry, parse_lexicon
from services.moderation.text.domain.reading import Reader
from services.moderation.text.domain.senses import Sense, parse_senses
from services.moderation.text.domain.signs import Signs, parse_signs

_LEXICONS = "services.moderation.text"


def open_reader() -> Reader:
    """Reads the package's data files (some 60 ms): call it once, when the service is built.

    Raises `LexiconRefused` naming the file and the entry that is wrong.
    """
    folding = open_folding()
    return Reader(shipped_entries(), folding, shipped_senses(folding), shipped_signs())


def open_folding() -> Folding:
    """The folding table, with Unicode's look-alikes."""
    # The library loads its table when imported; reading the file keeps imports quiet.
    table = files("confusable_homoglyphs").joinpath("confusables.json").read_text("utf-8")
    return Folding(lookalikes(json.loads(table)))


def shipped_senses(folding: Folding) -> dict[str, Sense]:
    """Every ordinary sense, by name."""
    folder = files(_LEXICONS).joinpath("lexicons", "senses")
    senses: dict[str, Sense] = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            senses |= parse_senses(file.name, file.read_text("utf-8"), folding)
    return senses


def shipped_signs() -> Signs:
    """The emoji that hurt, and beside what."""
    file = files(_LEXICONS).joinpath("lexicons", "signs", "emoji.toml")
    return parse_signs(file.read_text("utf-8"))


def shipped_entries() -> Iterator[Entry]:
    """Every entry of every list, in order of file name."""
    folder = files(_LEXICONS).joinpath("lexicons")
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            yield from parse_lexicon(file.name, file.read_text("utf-8"))
