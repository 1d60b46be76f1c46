"""What is covered before anybody sees the text: personal data, and slurs that are used."""

from services.moderation.text.domain.analysis import TextAnalysis
from services.moderation.text.domain.spans import replace_spans

MASK = "█"


def mask_text(reading: TextAnalysis) -> str:
    """The text with a block for each character covered, so every other place still holds.

    A SIRET is public, and so is an address nobody is said to live at; a slur only mentioned stays.
    """
    spans = [
        found.span for found in reading.personal_data if found.kind not in ("siret", "address")
    ]
    spans += [hit.span for hit in reading.hits if hit.category == "slur" and not hit.mentioned]
    if mentions_home_address(reading):
        spans += [found.span for found in reading.personal_data if found.kind == "address"]
    return replace_spans(reading.text, spans, by=MASK)


_AT_HOME = (
    " habite ", " habites ", " habitons ", " habitent ", " chez moi ", " chez lui ", " chez elle ",
    " chez toi ", " mon adresse ", " son adresse ", " ton adresse ", " ma maison ", " i live ",
    " lives at ", " lives in ", " my address ", " his address ", " her address ", " my house ",
)  # fmt: skip


def mentions_home_address(reading: TextAnalysis) -> bool:
    """An address is given, and the text says that somebody lives there."""
    if not any(found.kind == "address" for found in reading.personal_data):
        return False
    said = reading.normalised.text
    return any(cue in said for cue in _AT_HOME)
