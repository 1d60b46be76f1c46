"""Share of capital letters, a measure of shouting."""

from collections.abc import Sequence

from services.moderation.text.domain.spans import Span, replace_spans

# Below this, "OK MERCI" would shout.
MIN_LETTERS = 20


def capitals_share(text: str, silent: Sequence[Span]) -> float:
    """Return capitals over letters, 0 to 1; 0 under 20 letters. `silent` spans are not counted."""
    counted_text = replace_spans(text, silent, by=" ")
    letters = "".join(filter(str.isalpha, counted_text))
    if len(letters) < MIN_LETTERS:
        return 0.0
    return sum(map(str.isupper, letters)) / len(letters)
