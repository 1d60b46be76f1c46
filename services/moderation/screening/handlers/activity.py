"""Count what happened around texts before they are screened."""

import re
from collections.abc import Sequence

import msgspec

from services.moderation.rules.domain.facts import UNKNOWN_ACTIVITY, ActivityCounts
from services.moderation.screening.domain import text_hash
from shared.contracts.community import CommentPublished, PostPublished
from shared.contracts.community.contents import TextFact
from shared.contracts.event import Origin
from shared.contracts.ids import MemberId
from shared.kit.core.sliding_windows import Observation, SlidingWindows
from shared.kit.core.unit_of_work import Delivery

WINDOW_SECONDS = {"10s": 10, "1m": 60, "10m": 600, "24h": 86_400}
"""The spans that facts name, in seconds."""
COUNTER_KINDS = ("author", "target", "room", "text")
_SPANS = tuple(WINDOW_SECONDS.values())
_GAPS = re.compile(r"[\W_]+")


def counter_names() -> list[str]:
    """Name the facts that `count_around` gives: `author_10s` … `text_24h`."""
    return [f"{kind}_{window}" for kind in COUNTER_KINDS for window in WINDOW_SECONDS]


async def count_activity(
    windows: SlidingWindows, deliveries: Sequence[Delivery[TextFact]]
) -> tuple[list[ActivityCounts], bool]:
    """Return the circumstances of each text, and whether Redis was away while they were counted.

    History is not counted, and counts nothing. An edited text is counted without being added. Of
    the people who wrote harsh words to the same person only the author is counted here: whether
    the words are harsh is not known before they are read (see `count_harsh`).
    """
    # By their moments: a batch holds one partition after the other.
    live = sorted((d for d in deliveries if d.origin is Origin.LIVE), key=lambda d: d.time)
    counts = await windows.count([each for one in live for each in _observations(one)])
    values = iter(counts.values)
    around = {}
    for delivery in live:
        author, room, text = (next(values) for _ in range(len(COUNTER_KINDS) - 1))
        alone = (0 if target_of(delivery.fact) is None else 1,) * len(_SPANS)
        around[delivery.event_id] = _circumstances(author, alone, room, text)
    return [around.get(each.event_id, UNKNOWN_ACTIVITY) for each in deliveries], counts.degraded


async def count_harsh_authors(
    windows: SlidingWindows,
    deliveries: Sequence[Delivery[TextFact]],
    around: Sequence[ActivityCounts],
) -> tuple[list[ActivityCounts], bool]:
    """Return the circumstances of harsh words to somebody, with how many people wrote such words.

    `deliveries` are live and have a target each; the earlier ones count for the later ones.
    """
    order = sorted(range(len(deliveries)), key=lambda number: deliveries[number].time)
    counts = await windows.count([_target_observation(deliveries[number]) for number in order])
    changed = list(around)
    for number, values in zip(order, counts.values, strict=True):
        changed[number] = msgspec.structs.replace(around[number], **_named("target", values))
    return changed, counts.degraded


def target_of(fact: TextFact) -> MemberId | None:
    """Return the member whom a text answers; None for nobody, and for oneself."""
    if fact.reply_to is None:  # an edit does not say whom it answers
        return None
    if fact.author is not None and fact.author.member_id == fact.reply_to.member_id:
        return None
    return fact.reply_to.member_id


def _observations(delivery: Delivery[TextFact]) -> list[Observation]:
    """List one observation for author, room and text."""
    fact, item = delivery.fact, str(delivery.event_id)
    adds = isinstance(fact, PostPublished | CommentPublished)
    # A text without an author is nobody's: it is alone under its own key.
    author = fact.author.member_id if fact.author is not None else item
    names = {"author": str(author), "room": str(fact.space_id), "text": _same_text(fact)}
    moment = delivery.time.timestamp()
    return [
        Observation(f"{delivery.tenant}:{kind}:{name}", item, moment, _SPANS, adds)
        for kind, name in names.items()
    ]


def _target_observation(delivery: Delivery[TextFact]) -> Observation:
    author = delivery.fact.author
    person = author.member_id if author is not None else delivery.event_id
    key = f"{delivery.tenant}:target:{target_of(delivery.fact)}"
    return Observation(key, str(person), delivery.time.timestamp(), _SPANS)


def _same_text(fact: TextFact) -> str:
    """Name a text by its letters and digits, so that spaces and signs make no other text of it."""
    content = fact.content.clear
    if content is None:
        return str(fact.ref.id)
    return text_hash(_GAPS.sub(" ", f"{content.title or ''} {content.body}").casefold().strip())


def _circumstances(*counts: tuple[int, ...]) -> ActivityCounts:
    values: dict[str, int] = {}
    for kind, of_kind in zip(COUNTER_KINDS, counts, strict=True):
        values |= _named(kind, of_kind)
    return ActivityCounts(**values)


def _named(kind: str, counts: tuple[int, ...]) -> dict[str, int]:
    return {f"{kind}_{window}": count for window, count in zip(WINDOW_SECONDS, counts, strict=True)}
