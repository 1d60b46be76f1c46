"""The outcome of one attempt at a batch: which events to apply, to park, and the counts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.kit.core.bus import Partition
from shared.kit.inbox.decode import Decoded, DecodedRecord, Unreadable
from shared.kit.inbox.ledger import PositionMove
from shared.kit.inbox.parked import Failure, ParkedRecord


@dataclass
class BatchOutcome:
    """Filled while a batch is classified and applied; discarded if the attempt fails.

    `circuit_open` is True while the group's circuit breaker is open.
    """

    moves: dict[Partition, PositionMove]
    to_apply: list[Decoded] = field(default_factory=list)
    parked_records: list[ParkedRecord] = field(default_factory=list)
    circuit_open: bool = False

    @classmethod
    def for_batch(
        cls, records: Sequence[DecodedRecord], expected: Mapping[Partition, int]
    ) -> "BatchOutcome":
        """Create an empty outcome that moves each partition's position to the end of the batch."""
        next_offsets = {item.record.partition: item.record.offset + 1 for item in records}
        return cls(
            {
                partition: PositionMove(expected[partition], offset)
                for partition, offset in next_offsets.items()
            }
        )

    def count(self, item: DecodedRecord, outcome: str) -> None:
        """Count a record under one outcome, a column of the table `positions`."""
        self.moves[item.record.partition].counts[outcome] += 1

    def count_applied(self, items: Iterable[Decoded]) -> None:
        """Count these events as applied."""
        # One C loop per batch: this is all that an ordinary batch adds per event.
        for partition, number in Counter([item.record.partition for item in items]).items():
            self.moves[partition].counts["applied"] += number

    def park(self, item: DecodedRecord, parked_record: ParkedRecord) -> None:
        """Count and park a record; its `state` is `parked` or `dead`."""
        self.count(item, "dead_lettered" if parked_record.state == "dead" else "parked")
        self.parked_records.append(parked_record)

    def reject(self, item: Unreadable | Decoded, cause: str) -> None:
        """Park a record as dead at once, without its key, so that it blocks no other event."""
        self.park(item, ParkedRecord(item.record, None, Failure(cause), "dead", attempts=1))

    def block(self, item: Decoded) -> None:
        """Park an event behind an earlier one of its key."""
        self.park(item, ParkedRecord(item.record, item.delivery))

    @property
    def counts(self) -> Counter[str]:
        """The number of records by outcome, over all partitions."""
        return sum((move.counts for move in self.moves.values()), Counter())

    @property
    def failures(self) -> list[ParkedRecord]:
        """The failed records, without the ones that are only blocked."""
        return [parked for parked in self.parked_records if parked.failure is not None]
