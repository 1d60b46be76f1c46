"""What rules may ask about a text and its surroundings.

Every fact is always there: what is not known is null, never absent, so a rule that tests
`author_1m != null && author_1m > 8` holds on any event. CEL does not check types before it
runs: `samples` holds what a rule is tried on.
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
    """How much happened around a text, as the service counts it over sliding windows.

    `author`: texts of its author; `target`: people who wrote harsh words to the person it answers;
    `room`: texts in its space; `text`: the same text in the tenant. Each counts the present text.
    All are `None` at the command line and for history. Nothing stands here that nobody gives: a
    rule that asks for it is refused.
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


# An insult and a slur are both said of somebody; the other lists speak of acts.
_ATTACKS: Final = ("insult", "slur")
# What a victim confides; the "you" beside it is no target.
_CONFIDED: Final = ("self_harm", "coercion", "danger")
UNKNOWN_ACTIVITY: Final = ActivityCounts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """How sure (0 to 1) the surest word of each list is; 0 where there is none."""

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
    """How many pieces of personal data of each kind, and whether somebody lives at the address."""

    nir: int = 0
    iban: int = 0
    siret: int = 0
    phone: int = 0
    email: int = 0
    address: int = 0
    at_home: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts of one text; conditions see all of them side by side, by name.

    `text`: the normalised text, words between single spaces, without accents. `used`: words
    that are said (`insult` … in a condition); `mentioned`: words only quoted, told or spoken
    about (`insult_mentioned` …); `told`: one of these was said to the author or to a third
    person, who may need help; `to_hearer`: some listed word is used with a "you" beside it.
    `attacks`: how many insults and slurs are used; `aimed`: one of them is said to somebody;
    `mentioned_aimed`: likewise for mentioned ones; `disguised`: how many listed words took
    leet, spaced or foreign letters to read. `capitals`: share of the letters (0 under 20
    letters); `link_share`: share of the characters; `shortened`: domains that hide where a link
    leads.
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


_PARTS: Final = ("used", "mentioned", "leaks", "around")
_OWN: Final = tuple(field.name for field in fields(Facts) if field.name not in _PARTS)
_WEIGHTS: Final = tuple(field.name for field in fields(Weights))
_LEAKS: Final = tuple(field.name for field in fields(PersonalDataCounts))
_AROUND: Final = ActivityCounts.__struct_fields__


def as_variables(facts: Facts) -> dict[str, Fact]:
    """Fact name → value: what a condition sees."""
    used, mentioned, leaks, around = facts.used, facts.mentioned, facts.leaks, facts.around
    variables: dict[str, Fact] = {name: getattr(facts, name) for name in _OWN}
    for name in _WEIGHTS:
        variables[name] = getattr(used, name)
        variables[f"{name}_mentioned"] = getattr(mentioned, name)
    variables.update((name, getattr(leaks, name)) for name in _LEAKS)
    variables.update((name, getattr(around, name)) for name in _AROUND)
    return variables


FACT_NAMES: Final = frozenset(as_variables(Facts()))


def extract_facts(reading: TextAnalysis, around: ActivityCounts = UNKNOWN_ACTIVITY) -> Facts:
    used = [hit for hit in reading.hits if not hit.mentioned]
    mentioned = [hit for hit in reading.hits if hit.mentioned]
    attacks = [hit for hit in used if hit.category in _ATTACKS]
    domains = {link.domain for link in reading.links}
    linked = sum(link.span.end - link.span.start for link in reading.links)
    return Facts(
        text=reading.normalised.text,
        language=reading.language,
        length=len(reading.text),
        words=reading.word_count,
        capitals=reading.capitals_share,
        attacks=len(attacks),
        aimed=any(hit.aimed for hit in attacks),
        mentioned_aimed=any(hit.aimed for hit in mentioned if hit.category in _ATTACKS),
        to_hearer=any(hit.to_hearer for hit in used if hit.category not in _CONFIDED),
        told=any(hit.targets_victim for hit in mentioned),
        disguised=sum(hit.disguised for hit in reading.hits),
        links=len(reading.links),
        domains=len(domains),
        shortened=len(domains & SHORTENERS),
        link_share=linked / max(len(reading.text), 1),
        used=_weights(used),
        mentioned=_weights(mentioned),
        leaks=_leaks(reading),
        around=around,
    )


def _weights(hits: Iterable[Hit]) -> Weights:
    surest: dict[Category, float] = {}
    for hit in hits:
        surest[hit.category] = max(hit.weight, surest.get(hit.category, 0.0))
    return Weights(**surest)


def _leaks(reading: TextAnalysis) -> PersonalDataCounts:
    if not reading.personal_data:
        return PersonalDataCounts()
    kinds: dict[PersonalDataKind, int] = dict(
        Counter(found.kind for found in reading.personal_data)
    )
    return PersonalDataCounts(**kinds, at_home=mentions_home_address(reading))
