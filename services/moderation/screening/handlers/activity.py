"""Counts of the activity around texts, taken before they are screened."""

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
"""Length of each window in the name of a fact, in seconds."""
COUNTER_KINDS = ("author", "target", "room", "text")
_SPANS = tuple(WINDOW_SECONDS.values())
_NON_WORD = re.compile(r"[\W_]+")


def counter_names() -> list[str]:
    """Return the names of the facts that `count_activity` fills: `author_10s` … `text_24h`."""
    return [f"{kind}_{window}" for kind in COUNTER_KINDS for window in WINDOW_SECONDS]


async def count_activity(
    windows: SlidingWindows, deliveries: Sequence[Delivery[TextFact]]
) -> tuple[list[ActivityCounts], bool]:
    """Return the activity around each text, and whether Redis was unavailable.

    Imported history is neither counted nor given counts. An edited text gets counts without adding
    to them. Of the people who wrote harsh words to the same person only the author is counted here:
    whether the words are harsh is known only after screening (see `count_harsh_authors`).
    """
    # In order of time: a batch contains one partition after the other.
    live = sorted((d for d in deliveries if d.origin is Origin.LIVE), key=lambda d: d.time)
    counts = await windows.count(
        [observation for delivery in live for observation in _observations(delivery)]
    )
    values = iter(counts.values)
    activity_by_event = {}
    for delivery in live:
        author, space, text = (next(values) for _ in range(len(COUNTER_KINDS) - 1))
        target = (0 if target_of(delivery.fact) is None else 1,) * len(_SPANS)
        activity_by_event[delivery.event_id] = _activity_counts(author, target, space, text)
    return [
        activity_by_event.get(delivery.event_id, UNKNOWN_ACTIVITY) for delivery in deliveries
    ], counts.degraded


async def count_harsh_authors(
    windows: SlidingWindows,
    deliveries: Sequence[Delivery[TextFact]],
    around: Sequence[ActivityCounts],
) -> tuple[list[ActivityCounts], bool]:
    """Return the activity around harsh texts, with the number of people who wrote to the target.

    `deliveries` are live and have a target each; earlier ones count for later ones.
    """
    order = sorted(range(len(deliveries)), key=lambda number: deliveries[number].time)
    counts = await windows.count([_target_observation(deliveries[number]) for number in order])
    changed = list(around)
    for number, values in zip(order, counts.values, strict=True):
        changed[number] = msgspec.structs.replace(around[number], **_by_fact_name("target", values))
    return changed, counts.degraded


def target_of(fact: TextFact) -> MemberId | None:
    """Return the member that a text answers; None without one, and for the author."""
    if fact.reply_to is None:  # an edit does not say whom it answers
        return None
    if fact.author is not None and fact.author.member_id == fact.reply_to.member_id:
        return None
    return fact.reply_to.member_id


def _observations(delivery: Delivery[TextFact]) -> list[Observation]:
    """Return one observation each for author, space and text."""
    fact, item = delivery.fact, str(delivery.event_id)
    adds = isinstance(fact, PostPublished | CommentPublished)
    # A text without an author is counted alone, under a key of its own.
    author = fact.author.member_id if fact.author is not None else item
    names = {"author": str(author), "room": str(fact.space_id), "text": _text_key(fact)}
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


def _text_key(fact: TextFact) -> str:
    """Return a key of the letters and digits of a text, so that spaces and signs do not matter."""
    content = fact.content.clear
    if content is None:
        return str(fact.ref.id)
    return text_hash(_NON_WORD.sub(" ", f"{content.title or ''} {content.body}").casefold().strip())


def _activity_counts(*counts: tuple[int, ...]) -> ActivityCounts:
    values: dict[str, int] = {}
    for kind, kind_counts in zip(COUNTER_KINDS, counts, strict=True):
        values |= _by_fact_name(kind, kind_counts)
    return ActivityCounts(**values)


def _by_fact_name(kind: str, counts: tuple[int, ...]) -> dict[str, int]:
    return {f"{kind}_{window}": count for window, count in zip(WINDOW_SECONDS, counts, strict=True)}
