"""One attempt at a batch: what is to be applied, what is put aside, what is counted."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.kit.core.bus import Partition
from shared.kit.inbox.decode import Decoded, DecodedRecord, Unreadable
from shared.kit.inbox.ledger import PositionMove
from shared.kit.inbox.parked import Failure, ParkedRecord


@dataclass
class BatchOutcome:
    """Filled while a batch is sorted and applied; nothing of it is kept if the attempt fails.

    `halted` says that the group is stopped.
    """

    moves: dict[Partition, PositionMove]
    to_apply: list[Decoded] = field(default_factory=list)
    parked_records: list[ParkedRecord] = field(default_factory=list)
    circuit_open: bool = False

    @classmethod
    def for_batch(
        cls, reads: Sequence[DecodedRecord], expected: Mapping[Partition, int]
    ) -> "BatchOutcome":
        """Begin with how far the batch goes in each of its partitions."""
        next_of = {item.record.partition: item.record.offset + 1 for item in reads}
        return cls({place: PositionMove(expected[place], at) for place, at in next_of.items()})

    def count(self, item: DecodedRecord, name: str) -> None:
        """Count a record by what became of it."""
        self.moves[item.record.partition].counts[name] += 1

    def count_applied(self, items: Iterable[Decoded]) -> None:
        """Note that these had their effect."""
        # Counted in C, per partition: it is all there is to do for an event of an ordinary batch.
        for place, number in Counter([item.record.partition for item in items]).items():
            self.moves[place].counts["applied"] += number

    def park(self, item: DecodedRecord, aside: ParkedRecord) -> None:
        """Note that this one is parked or dead."""
        self.count(item, "dead_lettered" if aside.state == "dead" else "parked")
        self.parked_records.append(aside)

    def reject(self, item: Unreadable | Decoded, cause: str) -> None:
        """Note that this one is dead at once; nothing waits behind it, for its key is not kept."""
        self.park(item, ParkedRecord(item.record, None, Failure(cause), "dead", attempts=1))

    def block(self, item: Decoded) -> None:
        """Let it wait behind an earlier one of its key."""
        self.park(item, ParkedRecord(item.record, item.delivery))

    @property
    def counts(self) -> Counter[str]:
        """What became of the records of all partitions."""
        return sum((move.counts for move in self.moves.values()), Counter())

    @property
    def failures(self) -> list[ParkedRecord]:
        """Those that failed, without those that wait behind one."""
        return [aside for aside in self.parked_records if aside.failure is not None]
