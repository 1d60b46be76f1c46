"""Abusive emoji: a finger, a weapon and "toi", an ape and a person, a pig after "t'es une".

Skin tones, variation selectors and joiners are skipped, so that each variant counts as its emoji.
Most emoji are harmless is_alone: they count next to a person, or in the combinations listed here.
"""

import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from services.moderation.text.domain.lexicon import Category
from services.moderation.text.domain.normalisation import SENTENCE_BREAK, NormalisedText
from services.moderation.text.domain.spans import Span

# Skin tones, variation selectors, joiner, blanks: they vary or separate emoji and mean nothing.
_BETWEEN: Final = "\U0001f3fb-\U0001f3ff\ufe0e\ufe0f\u200d \t\u20e3\u2640\u2642"
_MAX_WORDS_TO_PERSON: Final = 2
_MAX_SHORT_SENTENCE_WORDS: Final = 3
_FLAG_RUN: Final = re.compile("[\U0001f1e6-\U0001f1ff]+")
# Regional indicators: the capital letter that each stands for.
_INDICATOR_LETTERS: Final = {0x1F1E6 + index: ord("A") + index for index in range(26)}
_COUNTRIES: Final = frozenset(
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR "
    "BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ "
    "EC EE EG EH ER ES ET EU FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU "
    "GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW "
    "KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU "
    "MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW "
    "PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF "
    "TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM UN US UY UZ VA VC VE VG VI VN VU WF WS XK YE "
    "YT ZA ZM ZW".split()
)


class EmojiMatch(NamedTuple):
    """A run of abusive emoji, and the index of the word before it (-1: none)."""

    span: Span
    category: Category
    weight: float
    aimed: bool
    word_before: int


@dataclass(frozen=True, slots=True)
class EmojiLexicon:
    """Finds abusive emoji; built once from the kinds and words of its file."""

    kinds: Mapping[str, str]
    words: Mapping[str, frozenset[str]]
    run: re.Pattern[str]

    def find(self, text: str, normalised: NormalisedText) -> Iterator[EmojiMatch]:
        """Yield the runs of emoji that are abusive in their context, in text order, in one pass."""
        starts: list[int] = []
        has_food = self._has(text, "food")
        for match in self.run.finditer(text):
            kinds = {self.kinds[char] for char in match.group() if char in self.kinds}
            if not _FLAG_RUN.search(match.group()) and not kinds:
                continue
            if _FLAG_RUN.search(match.group()):
                kinds.add("identity")
            starts = starts or [word.span.start for word in normalised.words]
            word_before = bisect_left(starts, match.start()) - 1
            context = _Context.of(normalised, word_before, self.words)
            if meaning := _meaning(kinds, context, has_food=has_food):
                category, weight = meaning
                span = Span(match.start(), match.start() + len(match.group().rstrip()))
                yield EmojiMatch(span, category, weight, context.aimed, word_before)

    def _has(self, text: str, kind: str) -> bool:
        return any(self.kinds.get(char) == kind for char in set(text))


@dataclass(frozen=True, slots=True)
class _Context:
    """The words around a run of emoji, within its sentence."""

    is_toward_hearer: bool
    is_after_copula: bool
    is_object: bool
    names_person: bool
    is_alone: bool
    sentence: frozenset[str]
    word_before: str
    words: Mapping[str, frozenset[str]]

    @classmethod
    def of(
        cls, normalised: NormalisedText, preceding: int, words: Mapping[str, frozenset[str]]
    ) -> "_Context":
        """Read the sentence up to twelve words around the word at index `preceding`."""
        left = _until_sentence_break(
            [w.text for w in normalised.words[max(0, preceding - 11) : preceding + 1]][::-1]
        )
        right = _until_sentence_break(
            [w.text for w in normalised.words[preceding + 1 : preceding + 13]]
        )
        near = {*left[:_MAX_WORDS_TO_PERSON], *right[:_MAX_WORDS_TO_PERSON]}
        is_short = 0 < len(left) + len(right) <= _MAX_SHORT_SENTENCE_WORDS
        return cls(
            is_toward_hearer=not words["hearer"].isdisjoint(near),
            is_after_copula=not words["copula"].isdisjoint(left[:_MAX_SHORT_SENTENCE_WORDS]),
            is_object=bool(left) and left[0] in words["object"],
            names_person=is_short and not words["names"].isdisjoint((*left, *right)),
            is_alone=not left and not right,
            sentence=frozenset((*left, *right)),
            word_before=left[0] if left else "",
            words=words,
        )

    @property
    def aimed(self) -> bool:
        return self.is_toward_hearer or self.is_after_copula or self.is_object or self.names_person

    def has(self, *kinds: str) -> bool:
        """Return whether the sentence contains a word of one of these kinds."""
        return any(not self.words[kind].isdisjoint(self.sentence) for kind in kinds)


def _until_sentence_break(words: list[str]) -> list[str]:
    return words[: words.index(SENTENCE_BREAK)] if SENTENCE_BREAK in words else words


def _meaning(
    kinds: set[str], context: _Context, *, has_food: bool
) -> tuple[Category, float] | None:
    """Return the category and weight of the emoji in their context, or None if harmless."""
    for classify in (_hate, _threat, _insult):
        if harm := classify(kinds, context):
            return harm
    return None if has_food else _sexual(kinds, context)


def _hate(kinds: set[str], context: _Context) -> tuple[Category, float] | None:
    if "identity" in kinds and kinds & {"disgust", "weapon", "refused", "finger", "ape"}:
        return ("slur", 0.7)
    if "hateful" in kinds:
        return ("slur", 0.7)
    if "ape" not in kinds or context.has("zoo"):
        return None
    if context.aimed or context.has("people"):
        return ("slur", 0.8)
    return ("slur", 0.6) if "banana" in kinds else None


def _threat(kinds: set[str], context: _Context) -> tuple[Category, float] | None:
    if "rope" in kinds and (context.is_object or context.is_toward_hearer):
        return ("harassment", 0.9)
    if "weapon" in kinds and (
        context.is_toward_hearer or context.is_object or context.names_person
    ):
        sure = context.is_object or "death" in kinds
        return ("threat", 0.9 if sure and not context.names_person else 0.6)
    return None


def _insult(kinds: set[str], context: _Context) -> tuple[Category, float] | None:
    if "finger" in kinds:
        return ("insult", 0.8 if context.aimed or context.is_alone else 0.6)
    animal = bool(kinds & {"fat", "vermin"})
    if animal and (
        context.word_before in context.words["before_animal"] or context.sentence & {"espece"}
    ):
        return ("insult", 0.8)
    if kinds & {"fat", "disgust"} and (
        context.is_toward_hearer or context.is_after_copula or context.names_person
    ):
        return ("insult", 0.6)
    return None


def _sexual(kinds: set[str], context: _Context) -> tuple[Category, float] | None:
    if context.has("cooking"):
        return None
    pair = len(kinds & {"aubergine", "peach", "drops", "tongue"}) > 1 and kinds & {
        "aubergine",
        "peach",
    }
    body = kinds & {"aubergine", "peach"} and context.word_before in context.words["before_body"]
    if not pair and not body:
        return None
    return ("sexual", 0.9 if context.is_toward_hearer or context.has("demand") else 0.6)


def parse_emoji_lexicon(source: str) -> EmojiLexicon:
    """Parse the emoji file. Raises `KeyError` or `tomllib.TOMLDecodeError` when it is wrong."""
    content = tomllib.loads(source)
    kinds = {char: kind for kind, chars in content["kinds"].items() for char in chars}
    words = {kind: frozenset(text.split()) for kind, text in content["words"].items()}
    signs = "".join(map(re.escape, kinds)) + "\U0001f1e6-\U0001f1ff"
    return EmojiLexicon(kinds, words, re.compile(f"[{signs}][{signs}{_BETWEEN}]*"))


def find_flags(text: str) -> tuple[Span, ...]:
    """Return the flags of countries in a text, whose letters spell no word."""
    return tuple(
        Span(*match.span()) for match in _FLAG_RUN.finditer(text) if _are_flags(match.group())
    )


def _are_flags(run: str) -> bool:
    letters = run.translate(_INDICATOR_LETTERS)
    return all(letters[index : index + 2] in _COUNTRIES for index in range(0, len(letters), 2))
