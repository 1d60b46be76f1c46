"""Checks the sequence numbers of each key in the topics of identity, which carry access rights.

A group stores the last accepted sequence of each key, and accepts only the next one. A record that
identity's outbox did not write has another sequence, unless its author guesses the next one; then
the genuine record is rejected, and operators see that. A rejected record becomes a dead letter
without a key, so that it blocks no event. An operator who finds that it is genuine replays it by
its position, and the sequence continues from it.

A group that read a partition from its first record expects sequence 1 first. Where older records
were deleted, or were read before sequences were stored, it adopts the first sequence of each key.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.kit.core.bus import Partition
from shared.kit.inbox.decode import SEQUENCED_SOURCES, Decoded, DecodedRecord, SequenceLink

REFUSED = "refused"
"""The cause of a rejected record begins with this word."""

TopicKey = tuple[str, str]
"""A topic and a key."""

_GET_LAST = sa.text("""
    SELECT topic, key, sequence FROM sequences
    JOIN unnest(CAST(:topics AS text[]), CAST(:keys AS text[])) AS asked (topic, key)
         USING (topic, key)
    WHERE consumer_group = :consumer_group
""")
_LIST_WHOLE_PARTITIONS = sa.text("""
    SELECT topic, partition FROM positions WHERE consumer_group = :consumer_group AND whole
""")
_SAVE_LAST = sa.text("""
    INSERT INTO sequences AS s (consumer_group, topic, key, sequence)
    SELECT :consumer_group, topic, key, sequence
    FROM unnest(CAST(:topics AS text[]), CAST(:keys AS text[]), CAST(:sequences AS bigint[]))
         AS new (topic, key, sequence) ORDER BY topic, key
    ON CONFLICT (consumer_group, topic, key)
    DO UPDATE SET sequence = greatest(s.sequence, excluded.sequence)
""")
_UNCLAIM_EVENTS = sa.text("""
    DELETE FROM inbox WHERE consumer_group = :consumer_group AND event_id = ANY(:ids)
""")


@dataclass
class SequenceTracker:
    """The last accepted sequence of each key of a batch; advanced in log order.

    `whole`: the partitions that the group read from their first record.
    """

    last: dict[TopicKey, int] = field(default_factory=dict)
    whole: set[Partition] = field(default_factory=set)
    advanced: set[TopicKey] = field(default_factory=set)
    adopted: int = 0
    refused: list[SequenceLink] = field(default_factory=list)

    def accept(self, partition: Partition, link: SequenceLink) -> str | None:
        """Advance by a record that is to be applied; return why it is rejected, or None."""
        expected = self._expected(partition, link)
        if expected is None:
            self.adopted += 1
        elif link.sequence != expected:
            self.refused.append(link)
            return (
                f"{REFUSED}: sequence {link.sequence} where {expected} is next:"
                " not written by identity's outbox, or records were lost"
            )
        self._advance(partition, link)
        return None

    def skip(self, partition: Partition, link: SequenceLink) -> None:
        """Advance by a record that is not applied, if its sequence is the next one."""
        if self._expected(partition, link) in {None, link.sequence}:
            self._advance(partition, link)

    def _expected(self, partition: Partition, link: SequenceLink) -> int | None:
        """Return the next sequence of a key; None when any sequence is accepted."""
        last = self.last.get((partition.topic, link.key))
        if last is None:
            return 1 if partition in self.whole else None
        return last + 1

    def _advance(self, partition: Partition, link: SequenceLink) -> None:
        key = partition.topic, link.key
        self.last[key] = link.sequence
        self.advanced.add(key)


def get_link(item: DecodedRecord) -> SequenceLink | None:
    """Return the key, sequence and event id of a record; None if its topic is not checked."""
    if not isinstance(item, Decoded):
        return item.link
    if item.record.partition.topic not in SEQUENCED_SOURCES:
        return None
    delivery = item.delivery
    return SequenceLink(delivery.key, delivery.sequence, delivery.event_id)


async def load(
    connection: AsyncConnection, group: str, records: Sequence[DecodedRecord]
) -> SequenceTracker | None:
    """Load the sequences of a batch's keys; None when none of its topics is checked."""
    if not any(
        topic in SEQUENCED_SOURCES for topic in {item.record.partition.topic for item in records}
    ):
        return None
    links = [(item.record.partition.topic, get_link(item)) for item in records]
    keys = sorted({(topic, link.key) for topic, link in links if link is not None})
    if not keys:
        return None
    values = {"topics": [topic for topic, _ in keys], "keys": [key for _, key in keys]}
    last = await connection.execute(_GET_LAST, {"consumer_group": group, **values})
    whole = await connection.execute(_LIST_WHOLE_PARTITIONS, {"consumer_group": group})
    return SequenceTracker(
        {(row.topic, row.key): row.sequence for row in last},
        {Partition(row.topic, row.partition) for row in whole},
    )


async def store(connection: AsyncConnection, group: str, tracker: SequenceTracker) -> None:
    """Save the sequences of a batch's keys; remove the ids of rejected events from the inbox."""
    await save_last(connection, group, {key: tracker.last[key] for key in tracker.advanced})
    if tracker.refused:
        ids = [link.event_id for link in tracker.refused]
        await connection.execute(_UNCLAIM_EVENTS, {"consumer_group": group, "ids": ids})


async def adopt(connection: AsyncConnection, group: str, items: Iterable[Decoded]) -> None:
    """Continue the sequences from records that an operator has found to be genuine."""
    links = {(item.record.partition.topic, item.delivery.key): get_link(item) for item in items}
    await save_last(connection, group, {key: link.sequence for key, link in links.items() if link})


async def save_last(
    connection: AsyncConnection, group: str, sequences: Mapping[TopicKey, int]
) -> None:
    """Save the last sequences of these keys; a stored sequence never decreases."""
    if not sequences:
        return
    values = {
        "consumer_group": group,
        "topics": [topic for topic, _ in sequences],
        "keys": [key for _, key in sequences],
        "sequences": list(sequences.values()),
    }
    await connection.execute(_SAVE_LAST, values)
