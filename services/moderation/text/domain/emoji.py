"""Emoji that hurt: a finger, a weapon and "toi", an ape and a person, a pig after "t'es une".

Skin tones, variation selectors and joiners are skipped, so every variant of a sign is that sign.
Most signs mean no harm alone: they count beside a person, or in the combinations listed here.
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

# Skin tones, variation selectors, joiner, blanks: they change or part signs, and mean nothing here.
_BETWEEN: Final = "\U0001f3fb-\U0001f3ff\ufe0e\ufe0f\u200d \t\u20e3\u2640\u2642"
_REACH_WORDS: Final = 2
_SHORT_WORDS: Final = 3
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
    """A run of signs that means harm, and the index of the word before it (-1: none)."""

    span: Span
    category: Category
    weight: float
    aimed: bool
    word_before: int


@dataclass(frozen=True, slots=True)
class EmojiLexicon:
    """Finds abusive signs; built once from the kinds and words of the file."""

    kinds: Mapping[str, str]
    words: Mapping[str, frozenset[str]]
    run: re.Pattern[str]

    def find(self, text: str, normalised: NormalisedText) -> Iterator[EmojiMatch]:
        """Return the runs of signs that mean harm where they stand, in one pass."""
        starts: list[int] = []
        foods = self._has(text, "food")
        for match in self.run.finditer(text):
            kinds = {self.kinds[char] for char in match.group() if char in self.kinds}
            if not _FLAG_RUN.search(match.group()) and not kinds:
                continue
            if _FLAG_RUN.search(match.group()):
                kinds.add("identity")
            starts = starts or [word.span.start for word in normalised.words]
            before = bisect_left(starts, match.start()) - 1
            context = _Context.of(normalised, before, self.words)
            if meaning := _meaning(kinds, context, foods=foods):
                category, weight = meaning
                span = Span(match.start(), match.start() + len(match.group().rstrip()))
                yield EmojiMatch(span, category, weight, context.aimed, before)

    def _has(self, text: str, kind: str) -> bool:
        return any(self.kinds.get(char) == kind for char in set(text))


@dataclass(frozen=True, slots=True)
class _Context:
    """What stands around a run of signs, within its sentence."""

    toward: bool
    copula: bool
    object: bool
    names: bool
    alone: bool
    sentence: frozenset[str]
    before: str
    words: Mapping[str, frozenset[str]]

    @classmethod
    def of(
        cls, normalised: NormalisedText, before: int, words: Mapping[str, frozenset[str]]
    ) -> "_Context":
        """Look at the sentence up to twelve words away from the word `before` the signs."""
        left = _until_break(
            [w.text for w in normalised.words[max(0, before - 11) : before + 1]][::-1]
        )
        right = _until_break([w.text for w in normalised.words[before + 1 : before + 13]])
        near = {*left[:_REACH_WORDS], *right[:_REACH_WORDS]}
        few = 0 < len(left) + len(right) <= _SHORT_WORDS
        return cls(
            toward=not words["hearer"].isdisjoint(near),
            copula=not words["copula"].isdisjoint(left[:_SHORT_WORDS]),
            object=bool(left) and left[0] in words["object"],
            names=few and not words["names"].isdisjoint((*left, *right)),
            alone=not left and not right,
            sentence=frozenset((*left, *right)),
            before=left[0] if left else "",
            words=words,
        )

    @property
    def aimed(self) -> bool:
        return self.toward or self.copula or self.object or self.names

    def has(self, *kinds: str) -> bool:
        """Return whether the sentence holds a word of one of these kinds."""
        return any(not self.words[kind].isdisjoint(self.sentence) for kind in kinds)


def _until_break(words: list[str]) -> list[str]:
    return words[: words.index(SENTENCE_BREAK)] if SENTENCE_BREAK in words else words


def _meaning(kinds: set[str], context: _Context, *, foods: bool) -> tuple[Category, float] | None:
    """What the signs mean there, if it is harm, and how surely."""
    for meaning in (_hate, _threat, _insult):
        if found := meaning(kinds, context):
            return found
    return None if foods else _sexual(kinds, context)


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
    if "rope" in kinds and (context.object or context.toward):
        return ("harassment", 0.9)
    if "weapon" in kinds and (context.toward or context.object or context.names):
        sure = context.object or "death" in kinds
        return ("threat", 0.9 if sure and not context.names else 0.6)
    return None


def _insult(kinds: set[str], context: _Context) -> tuple[Category, float] | None:
    if "finger" in kinds:
        return ("insult", 0.8 if context.aimed or context.alone else 0.6)
    animal = bool(kinds & {"fat", "vermin"})
    if animal and (
        context.before in context.words["before_animal"] or context.sentence & {"espece"}
    ):
        return ("insult", 0.8)
    if kinds & {"fat", "disgust"} and (context.toward or context.copula or context.names):
        return ("insult", 0.6)
    return None


def _sexual(kinds: set[str], context: _Context) -> tuple[Category, float] | None:
    if context.has("cooking"):
        return None
    pair = len(kinds & {"aubergine", "peach", "drops", "tongue"}) > 1 and kinds & {
        "aubergine",
        "peach",
    }
    body = kinds & {"aubergine", "peach"} and context.before in context.words["before_body"]
    if not pair and not body:
        return None
    return ("sexual", 0.9 if context.toward or context.has("demand") else 0.6)


def parse_emoji_lexicon(source: str) -> EmojiLexicon:
    """Read the file of signs. Raises `KeyError` or `tomllib.TOMLDecodeError` when it is wrong."""
    content = tomllib.loads(source)
    kinds = {char: kind for kind, chars in content["kinds"].items() for char in chars}
    words = {kind: frozenset(text.split()) for kind, text in content["words"].items()}
    signs = "".join(map(re.escape, kinds)) + "\U0001f1e6-\U0001f1ff"
    return EmojiLexicon(kinds, words, re.compile(f"[{signs}][{signs}{_BETWEEN}]*"))


def find_flags(text: str) -> tuple[Span, ...]:
    """The flags of countries in a text: their letters spell no word."""
    return tuple(
        Span(*match.span()) for match in _FLAG_RUN.finditer(text) if _are_flags(match.group())
    )


def _are_flags(run: str) -> bool:
    letters = run.translate(_INDICATOR_LETTERS)
    return all(letters[index : index + 2] in _COUNTRIES for index in range(0, len(letters), 2))
