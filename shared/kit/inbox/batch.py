"""One attempt at a batch: what is to be applied, what is put aside, what is counted."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.kit.core.bus import Partition
from shared.kit.inbox.decode import Read, Readable, Unreadable
from shared.kit.inbox.ledger import Move
from shared.kit.inbox.parked import Aside, Failure


@dataclass
class Work:
    """Filled while a batch is sorted and applied; nothing of it is kept if the attempt fails.

    `halted` says that the group is stopped.
    """

    moves: dict[Partition, Move]
    todo: list[Readable] = field(default_factory=list)
    asides: list[Aside] = field(default_factory=list)
    halted: bool = False

    @classmethod
    def over(cls, reads: Sequence[Read], expected: Mapping[Partition, int]) -> "Work":
        """Begin with how far the batch goes in each of its partitions."""
        next_of = {item.record.partition: item.record.offset + 1 for item in reads}
        return cls({place: Move(expected[place], at) for place, at in next_of.items()})

    def count(self, item: Read, name: str) -> None:
        """Count a record by what became of it."""
        self.moves[item.record.partition].counts[name] += 1

    def applied(self, items: Iterable[Readable]) -> None:
        """Note that these had their effect."""
        # Counted in C, per partition: it is all there is to do for an event of an ordinary batch.
        for place, number in Counter([item.record.partition for item in items]).items():
            self.moves[place].counts["applied"] += number

    def put_aside(self, item: Read, aside: Aside) -> None:
        """Note that this one is parked or dead."""
        self.count(item, "dead_lettered" if aside.state == "dead" else "parked")
        self.asides.append(aside)

    def refuse(self, item: Unreadable | Readable, cause: str) -> None:
        """Note that this one is dead at once; nothing waits behind it, for its key is not kept."""
        self.put_aside(item, Aside(item.record, None, Failure(cause), "dead", attempts=1))

    def wait(self, item: Readable) -> None:
        """Let it wait behind an earlier one of its key."""
        self.put_aside(item, Aside(item.record, item.delivery))

    @property
    def counts(self) -> Counter[str]:
        """What became of the records of all partitions."""
        return sum((move.counts for move in self.moves.values()), Counter())

    @property
    def failures(self) -> list[Aside]:
        """Those that failed, without those that wait behind one."""
        return [aside for aside in self.asides if aside.failure is not None]
