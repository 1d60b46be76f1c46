"""What the checker says of a broken promise."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Violation:
    """One broken invariant: which (`I1` … `I10`), of which key, and what was found instead.

    `key` is a partition key (`tenant:aggregate`) where there is one: the whole history of that key
    is printed beside the violation.
    """

    invariant: str
    key: str
    text: str

    def __str__(self) -> str:
        """Say it on one line."""
        return f"{self.invariant} {self.key}: {self.text}"
