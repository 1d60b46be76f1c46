"""Language detection (French or English) by function words.

It is enough to tell "en retard" from an insult. It returns `None` when the text is too short or too
mixed; the analyser then uses the hint, and without one French, the platform's default language.
"""

from collections.abc import Collection
from typing import Final

_FRENCH: Final = frozenset(
    "le la les un une des du de et est sont pas que qui dans pour sur avec ce cette ces il elle "
    "nous vous je tu mais ou donc car ne se sa son ses au aux par plus tout comme c j l d qu n es "
    "mon ma mes ta tes ton moi toi fait faire bien tres quand suis ai etre avoir y en".split()
)
_ENGLISH: Final = frozenset(
    "the and is are was were not that this these those with for from you he she they we it i my "
    "your his her their our of to be been have has had do does did what when who which how if "
    "but so can could will would should there here just m re s ll ve don an at by or".split()
)
_MIN_LEAD_WORDS = 2


def guess_language(words: Collection[str]) -> str | None:
    """Return "fr", "en", or `None` when neither has clearly more function words."""
    french = sum(map(_FRENCH.__contains__, words))
    english = sum(map(_ENGLISH.__contains__, words))
    if french >= english + _MIN_LEAD_WORDS:
        return "fr"
    return "en" if english >= french + _MIN_LEAD_WORDS else None
