"""Open the text analyser on the lists that ship with the package."""

import json
from collections.abc import Iterator
from importlib.resources import files

from services.moderation.text.domain.analysis import TextAnalyser
from services.moderation.text.domain.emoji import EmojiLexicon, parse_emoji_lexicon
from services.moderation.text.domain.folding import FoldingTable, build_lookalike_table
from services.moderation.text.domain.lexicon import LexiconEntry, parse_lexicon
from services.moderation.text.domain.senses import OrdinarySense, parse_senses

_LEXICONS = "services.moderation.text"


def open_analyser() -> TextAnalyser:
    """Read the package's data files (about 60 ms); call it once, when the service is built.

    Raises `LexiconRefused` with the file and the entry that is wrong.
    """
    folding = load_folding_table()
    return TextAnalyser(load_lexicon_entries(), folding, load_senses(folding), load_emoji_lexicon())


def load_folding_table() -> FoldingTable:
    """Return a folding table with Unicode's look-alikes."""
    # The library loads its table when imported; reading the file keeps imports quiet.
    table = files("confusable_homoglyphs").joinpath("confusables.json").read_text("utf-8")
    return FoldingTable(build_lookalike_table(json.loads(table)))


def load_senses(folding: FoldingTable) -> dict[str, OrdinarySense]:
    """Return every ordinary sense by name."""
    folder = files(_LEXICONS).joinpath("lexicons", "senses")
    senses: dict[str, OrdinarySense] = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            senses |= parse_senses(file.name, file.read_text("utf-8"), folding)
    return senses


def load_emoji_lexicon() -> EmojiLexicon:
    """Return the abusive emoji and the words that make them so."""
    file = files(_LEXICONS).joinpath("lexicons", "signs", "emoji.toml")
    return parse_emoji_lexicon(file.read_text("utf-8"))


def load_lexicon_entries() -> Iterator[LexiconEntry]:
    """Yield every entry of every list, in order of file name."""
    folder = files(_LEXICONS).joinpath("lexicons")
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            yield from parse_lexicon(file.name, file.read_text("utf-8"))
