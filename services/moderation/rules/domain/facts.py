"""Facts about a text and its context that conditions can use.

Every fact is always defined: an unknown one is null, never absent, so a rule that tests `author_1m
!= null && author_1m > 8` evaluates for any event. CEL checks no types before it runs: `samples`
contains the facts that a rule is tried on.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Final

import msgspec

from services.moderation.text.domain.analysis import Hit, TextAnalysis
from services.moderation.text.domain.lexicon import Category
from services.moderation.text.domain.links import SHORTENERS
from services.moderation.text.domain.masking import mentions_home_address
from services.moderation.text.domain.personal_data import PersonalDataKind

Fact = str | int | float | bool | None


class ActivityCounts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Numbers of recent texts around a text, counted over sliding windows.

    `author`: texts of its author; `target`: people who wrote harsh words to the person it answers;
    `room`: texts in its space; `text`: the same text in the tenant. Each includes the present text.
    All are `None` at the command line and for history. A rule that uses another count is refused.
    """

    author_10s: int | None = None
    author_1m: int | None = None
    author_10m: int | None = None
    author_24h: int | None = None
    target_10s: int | None = None
    target_1m: int | None = None
    target_10m: int | None = None
    target_24h: int | None = None
    room_10s: int | None = None
    room_1m: int | None = None
    room_10m: int | None = None
    room_24h: int | None = None
    text_10s: int | None = None
    text_1m: int | None = None
    text_10m: int | None = None
    text_24h: int | None = None


# Insults and slurs describe a person; the other lists describe acts.
_ATTACK_CATEGORIES: Final = ("insult", "slur")
# A victim confides these; a "you" close by is no target.
_CONFIDED_CATEGORIES: Final = ("self_harm", "coercion", "danger")
UNKNOWN_ACTIVITY: Final = ActivityCounts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The highest weight (0 to 1) of the matched words of each list; 0 without a match."""

    insult: float = 0.0
    slur: float = 0.0
    threat: float = 0.0
    sexual: float = 0.0
    self_harm: float = 0.0
    harassment: float = 0.0
    coercion: float = 0.0
    danger: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalDataCounts:
    """Number of matches of each kind of personal data, and whether an address is a home address."""

    nir: int = 0
    iban: int = 0
    siret: int = 0
    phone: int = 0
    email: int = 0
    address: int = 0
    at_home: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts of one text; conditions see all of them as variables.

    `text`: the normalised text, words between single spaces, without accents. `used`: words that
    the author uses (`insult` … in a condition); `mentioned`: words that are only quoted, reported
    or spoken about (`insult_mentioned` …); `told`: one of these was said to or about the author or
    a third person, which may need help; `to_hearer`: a listed word is used with a "you" close by.
    `attacks`: number of insults and slurs used; `aimed`: one of them is said to a person;
    `mentioned_aimed`: likewise for mentioned ones; `disguised`: number of listed words in leet,
    spaced or foreign letters. `capitals`: share of the letters (0 under 20 letters); `link_share`:
    share of the characters; `shortened`: domains that hide the target of a link.
    """

    text: str = " "
    language: str = "fr"
    length: int = 0
    words: int = 0
    capitals: float = 0.0
    attacks: int = 0
    aimed: bool = False
    mentioned_aimed: bool = False
    told: bool = False
    to_hearer: bool = False
    disguised: int = 0
    links: int = 0
    domains: int = 0
    shortened: int = 0
    link_share: float = 0.0
    used: Weights = Weights()
    mentioned: Weights = Weights()
    leaks: PersonalDataCounts = PersonalDataCounts()
    around: ActivityCounts = UNKNOWN_ACTIVITY


_NESTED_NAMES: Final = ("used", "mentioned", "leaks", "around")
_OWN_NAMES: Final = tuple(field.name for field in fields(Facts) if field.name not in _NESTED_NAMES)
_WEIGHT_NAMES: Final = tuple(field.name for field in fields(Weights))
_PERSONAL_DATA_NAMES: Final = tuple(field.name for field in fields(PersonalDataCounts))
_ACTIVITY_NAMES: Final = ActivityCounts.__struct_fields__


def as_variables(facts: Facts) -> dict[str, Fact]:
    """Return fact name → value, the variables of a condition."""
    used, mentioned, leaks, around = facts.used, facts.mentioned, facts.leaks, facts.around
    variables: dict[str, Fact] = {name: getattr(facts, name) for name in _OWN_NAMES}
    for name in _WEIGHT_NAMES:
        variables[name] = getattr(used, name)
        variables[f"{name}_mentioned"] = getattr(mentioned, name)
    variables.update((name, getattr(leaks, name)) for name in _PERSONAL_DATA_NAMES)
    variables.update((name, getattr(around, name)) for name in _ACTIVITY_NAMES)
    return variables


FACT_NAMES: Final = frozenset(as_variables(Facts()))


def extract_facts(analysis: TextAnalysis, around: ActivityCounts = UNKNOWN_ACTIVITY) -> Facts:
    used = [hit for hit in analysis.hits if not hit.mentioned]
    mentioned = [hit for hit in analysis.hits if hit.mentioned]
    attacks = [hit for hit in used if hit.category in _ATTACK_CATEGORIES]
    domains = {link.domain for link in analysis.links}
    link_characters = sum(link.span.end - link.span.start for link in analysis.links)
    return Facts(
        text=analysis.normalised.text,
        language=analysis.language,
        length=len(analysis.text),
        words=analysis.word_count,
        capitals=analysis.capitals_share,
        attacks=len(attacks),
        aimed=any(hit.aimed for hit in attacks),
        mentioned_aimed=any(hit.aimed for hit in mentioned if hit.category in _ATTACK_CATEGORIES),
        to_hearer=any(hit.to_hearer for hit in used if hit.category not in _CONFIDED_CATEGORIES),
        told=any(hit.targets_victim for hit in mentioned),
        disguised=sum(hit.disguised for hit in analysis.hits),
        links=len(analysis.links),
        domains=len(domains),
        shortened=len(domains & SHORTENERS),
        link_share=link_characters / max(len(analysis.text), 1),
        used=_highest_weights(used),
        mentioned=_highest_weights(mentioned),
        leaks=_count_personal_data(analysis),
        around=around,
    )


def _highest_weights(hits: Iterable[Hit]) -> Weights:
    surest: dict[Category, float] = {}
    for hit in hits:
        surest[hit.category] = max(hit.weight, surest.get(hit.category, 0.0))
    return Weights(**surest)


def _count_personal_data(analysis: TextAnalysis) -> PersonalDataCounts:
    if not analysis.personal_data:
        return PersonalDataCounts()
    kinds: dict[PersonalDataKind, int] = dict(
        Counter(match.kind for match in analysis.personal_data)
    )
    return PersonalDataCounts(**kinds, at_home=mentions_home_address(analysis))
