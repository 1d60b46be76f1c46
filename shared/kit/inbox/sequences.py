"""The sequence of each key in the topics of identity: who may do what stands there.

A group knows the last sequence that it accepted of each key, and accepts only the next one. A
record that was not written by identity's outbox has another, unless its author guesses the next;
then the true one is refused, and operators see that. What is refused is a dead letter without a
key, so that nothing waits behind it; an operator who finds that it is genuine replays it by its
place, and the sequence goes on from there.

A group that read a partition from its first record expects 1 first. Where older records were
deleted, or were read before sequences were kept, it adopts the first that it sees of each key.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.kit.core.bus import Partition
from shared.kit.inbox.decode import SEQUENCED_SOURCES, Decoded, DecodedRecord, SequenceLink

REFUSED = "refused"
"""What the cause of a refused record begins with."""

TopicKey = tuple[str, str]
"""A topic and a key."""

_LAST = sa.text("""
    SELECT topic, key, sequence FROM sequences
    JOIN unnest(CAST(:topics AS text[]), CAST(:keys AS text[])) AS asked (topic, key)
         USING (topic, key)
    WHERE consumer_group = :consumer_group
""")
_WHOLE = sa.text("""
    SELECT topic, partition FROM positions WHERE consumer_group = :consumer_group AND whole
""")
_KEEP = sa.text("""
    INSERT INTO sequences AS s (consumer_group, topic, key, sequence)
    SELECT :consumer_group, topic, key, sequence
    FROM unnest(CAST(:topics AS text[]), CAST(:keys AS text[]), CAST(:sequences AS bigint[]))
         AS new (topic, key, sequence) ORDER BY topic, key
    ON CONFLICT (consumer_group, topic, key)
    DO UPDATE SET sequence = greatest(s.sequence, excluded.sequence)
""")
_UNCLAIM = sa.text("""
    DELETE FROM inbox WHERE consumer_group = :consumer_group AND event_id = ANY(:ids)
""")


@dataclass
class SequenceTracker:
    """The last accepted sequence of each key of a batch; advanced in log order."""

    last: dict[TopicKey, int] = field(default_factory=dict)
    whole: set[Partition] = field(default_factory=set)
    advanced: set[TopicKey] = field(default_factory=set)
    adopted: int = 0
    refused: list[SequenceLink] = field(default_factory=list)

    def accept(self, place: Partition, link: SequenceLink) -> str | None:
        """Advance by a record that is to be applied; say why it is refused, or None."""
        expected = self._next(place, link)
        if expected is None:
            self.adopted += 1
        elif link.sequence != expected:
            self.refused.append(link)
            return (
                f"{REFUSED}: sequence {link.sequence} where {expected} is next:"
                " not written by identity's outbox, or records were lost"
            )
        self._advance(place, link)
        return None

    def skip(self, place: Partition, link: SequenceLink) -> None:
        """Advance by a record that is not applied, if it is the next one."""
        if self._next(place, link) in {None, link.sequence}:
            self._advance(place, link)

    def _next(self, place: Partition, link: SequenceLink) -> int | None:
        """Return which sequence of a key is next; None for whichever comes."""
        last = self.last.get((place.topic, link.key))
        if last is None:
            return 1 if place in self.whole else None
        return last + 1

    def _advance(self, place: Partition, link: SequenceLink) -> None:
        key = place.topic, link.key
        self.last[key] = link.sequence
        self.advanced.add(key)


def get_link(item: DecodedRecord) -> SequenceLink | None:
    """Return the key, sequence and event of a record; None where no sequence is kept."""
    if not isinstance(item, Decoded):
        return item.link
    if item.record.partition.topic not in SEQUENCED_SOURCES:
        return None
    delivery = item.delivery
    return SequenceLink(delivery.key, delivery.sequence, delivery.event_id)


async def load(
    connection: AsyncConnection, group: str, reads: Sequence[DecodedRecord]
) -> SequenceTracker | None:
    """Look up the sequences of a batch's keys; None when it holds no record of such a topic."""
    if not any(
        topic in SEQUENCED_SOURCES for topic in {item.record.partition.topic for item in reads}
    ):
        return None
    links = [(item.record.partition.topic, get_link(item)) for item in reads]
    keys = sorted({(topic, link.key) for topic, link in links if link is not None})
    if not keys:
        return None
    values = {"topics": [topic for topic, _ in keys], "keys": [key for _, key in keys]}
    last = await connection.execute(_LAST, {"consumer_group": group, **values})
    whole = await connection.execute(_WHOLE, {"consumer_group": group})
    return SequenceTracker(
        {(row.topic, row.key): row.sequence for row in last},
        {Partition(row.topic, row.partition) for row in whole},
    )


async def store(connection: AsyncConnection, group: str, chains: SequenceTracker) -> None:
    """Keep how far the keys of a batch went; let refused events be unknown to the group."""
    await save_last(connection, group, {key: chains.last[key] for key in chains.advanced})
    if chains.refused:
        ids = [link.event_id for link in chains.refused]
        await connection.execute(_UNCLAIM, {"consumer_group": group, "ids": ids})


async def adopt(connection: AsyncConnection, group: str, items: Iterable[Decoded]) -> None:
    """Let the sequence go on behind records that an operator says are genuine."""
    links = {(item.record.partition.topic, item.delivery.key): get_link(item) for item in items}
    await save_last(connection, group, {key: link.sequence for key, link in links.items() if link})


async def save_last(
    connection: AsyncConnection, group: str, sequences: Mapping[TopicKey, int]
) -> None:
    """Write down the last sequences of these keys; never back."""
    if not sequences:
        return
    values = {
        "consumer_group": group,
        "topics": [topic for topic, _ in sequences],
        "keys": [key for _, key in sequences],
        "sequences": list(sequences.values()),
    }
    await connection.execute(_KEEP, values)
