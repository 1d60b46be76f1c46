"""How loud a text is."""

from collections.abc import Sequence

from services.moderation.text.domain.spans import Span, replace_spans

# Under this, "OK MERCI" would shout.
MIN_LETTERS = 20


def capitals_share(text: str, silent: Sequence[Span]) -> float:
    """Capitals over letters, 0 to 1; 0 under 20 letters. Code, quotes and links are `silent`."""
    heard = replace_spans(text, silent, by=" ")
    letters = "".join(filter(str.isalpha, heard))
    if len(letters) < MIN_LETTERS:
        return 0.0
    return sum(map(str.isupper, letters)) / len(letters)
