"""What is covered before anybody sees the text: personal data, and slurs that are used."""

from services.moderation.text.domain.reading import Reading
from services.moderation.text.domain.spans import covered

MASK = "█"


def masked(reading: Reading) -> str:
    """The text with a block for each character covered, so every other place still holds.

    A SIRET is public, and so is an address nobody is said to live at; a slur only mentioned stays.
    """
    spans = [found.span for found in reading.personal if found.kind not in ("siret", "address")]
    spans += [hit.span for hit in reading.hits if hit.category == "slur" and not hit.mentioned]
    if lives_there(reading):
        spans += [found.span for found in reading.personal if found.kind == "address"]
    return covered(reading.text, spans, by=MASK)


_AT_HOME = (
    " habite ", " habites ", " habitons ", " habitent ", " chez moi ", " chez lui ", " chez elle ",
    " chez toi ", " mon adresse ", " son adresse ", " ton adresse ", " ma maison ", " i live ",
    " lives at ", " lives in ", " my address ", " his address ", " her address ", " my house ",
)  # fmt: skip


def lives_there(reading: Reading) -> bool:
    """An address is given, and the text says that somebody lives there."""
    if not any(found.kind == "address" for found in reading.personal):
        return False
    said = reading.normalised.text
    return any(cue in said for cue in _AT_HOME)
