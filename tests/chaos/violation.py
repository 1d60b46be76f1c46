"""What the checker says of a broken promise."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Violation:
    """A violated invariant (`I1` … `I10`), its key, and the observed state.

    `key` is a partition key (`tenant:aggregate`) where there is one: the whole history of that key
    is printed beside the violation.
    """

    invariant: str
    key: str
    text: str

    def __str__(self) -> str:
        """Format the violation on one line."""
        return f"{self.invariant} {self.key}: {self.text}"
