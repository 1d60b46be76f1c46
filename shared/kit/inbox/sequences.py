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
from shared.kit.inbox.decode import CHAINED_SOURCES, Link, Read, Readable

REFUSED = "refused"
"""What the cause of a refused record begins with."""

Chained = tuple[str, str]
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
class Chains:
    """The last accepted sequence of each key of a batch; advanced in log order."""

    last: dict[Chained, int] = field(default_factory=dict)
    whole: set[Partition] = field(default_factory=set)
    advanced: set[Chained] = field(default_factory=set)
    adopted: int = 0
    refused: list[Link] = field(default_factory=list)

    def accept(self, place: Partition, link: Link) -> str | None:
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

    def pass_by(self, place: Partition, link: Link) -> None:
        """Advance by a record that is not applied, if it is the next one."""
        if self._next(place, link) in {None, link.sequence}:
            self._advance(place, link)

    def _next(self, place: Partition, link: Link) -> int | None:
        """Say which sequence of a key is next; None for whichever comes."""
        last = self.last.get((place.topic, link.key))
        if last is None:
            return 1 if place in self.whole else None
        return last + 1

    def _advance(self, place: Partition, link: Link) -> None:
        key = place.topic, link.key
        self.last[key] = link.sequence
        self.advanced.add(key)


def link_of(item: Read) -> Link | None:
    """Give the key, sequence and event of a record; None where no sequence is kept."""
    if not isinstance(item, Readable):
        return item.link
    if item.record.partition.topic not in CHAINED_SOURCES:
        return None
    delivery = item.delivery
    return Link(delivery.key, delivery.sequence, delivery.event_id)


async def load(connection: AsyncConnection, group: str, reads: Sequence[Read]) -> Chains | None:
    """Look up the sequences of a batch's keys; None when it holds no record of such a topic."""
    if not any(
        topic in CHAINED_SOURCES for topic in {item.record.partition.topic for item in reads}
    ):
        return None
    links = [(item.record.partition.topic, link_of(item)) for item in reads]
    keys = sorted({(topic, link.key) for topic, link in links if link is not None})
    if not keys:
        return None
    values = {"topics": [topic for topic, _ in keys], "keys": [key for _, key in keys]}
    last = await connection.execute(_LAST, {"consumer_group": group, **values})
    whole = await connection.execute(_WHOLE, {"consumer_group": group})
    return Chains(
        {(row.topic, row.key): row.sequence for row in last},
        {Partition(row.topic, row.partition) for row in whole},
    )


async def store(connection: AsyncConnection, group: str, chains: Chains) -> None:
    """Keep how far the keys of a batch went; let refused events be unknown to the group."""
    await keep(connection, group, {key: chains.last[key] for key in chains.advanced})
    if chains.refused:
        ids = [link.event_id for link in chains.refused]
        await connection.execute(_UNCLAIM, {"consumer_group": group, "ids": ids})


async def adopt(connection: AsyncConnection, group: str, items: Iterable[Readable]) -> None:
    """Let the sequence go on behind records that an operator says are genuine."""
    links = {(item.record.partition.topic, item.delivery.key): link_of(item) for item in items}
    await keep(connection, group, {key: link.sequence for key, link in links.items() if link})


async def keep(connection: AsyncConnection, group: str, sequences: Mapping[Chained, int]) -> None:
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
