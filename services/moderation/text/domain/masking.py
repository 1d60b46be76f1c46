"""Masking of personal data and used slurs before a text is shown."""

from services.moderation.text.domain.analysis import TextAnalysis
from services.moderation.text.domain.spans import replace_spans

MASK = "█"


def mask_text(analysis: TextAnalysis) -> str:
    """Return the text with a block for each masked character, so that all offsets stay valid.

    A SIRET is public, and so is an address where no person lives; a slur that is only mentioned
    stays.
    """
    spans = [
        match.span for match in analysis.personal_data if match.kind not in ("siret", "address")
    ]
    spans += [hit.span for hit in analysis.hits if hit.category == "slur" and not hit.mentioned]
    if mentions_home_address(analysis):
        spans += [match.span for match in analysis.personal_data if match.kind == "address"]
    return replace_spans(analysis.text, spans, by=MASK)


_HOME_PHRASES = (
    " habite ", " habites ", " habitons ", " habitent ", " chez moi ", " chez lui ", " chez elle ",
    " chez toi ", " mon adresse ", " son adresse ", " ton adresse ", " ma maison ", " i live ",
    " lives at ", " lives in ", " my address ", " his address ", " her address ", " my house ",
)  # fmt: skip


def mentions_home_address(analysis: TextAnalysis) -> bool:
    """Return whether the text contains an address and says that a person lives there."""
    if not any(match.kind == "address" for match in analysis.personal_data):
        return False
    words = analysis.normalised.text
    return any(cue in words for cue in _HOME_PHRASES)
