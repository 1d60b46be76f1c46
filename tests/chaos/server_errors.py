"""Which of the journal's answers of 5xx had no reason to be one."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from tests.chaos.objectives import HARMLESS_FAULTS, FaultInterval
from tests.chaos.workload.journal import Operation

INTERNAL_ERROR = 500
OVERLOADED_SUFFIX = "/problems/overloaded"
AFTER_FAULT_SECONDS = 5.0
"""Seconds after a fault in which what began under it may still be answered."""


def count_internal_errors(operations: Iterable[Operation]) -> int:
    """Count answers of 500: what is away or late is said to be so, and is no error of ours."""
    return sum(each.status == INTERNAL_ERROR for each in operations)


def count_unexplained_errors(
    operations: Iterable[Operation], faults: Sequence[FaultInterval], start: datetime
) -> int:
    """Count other answers of 5xx, but for overload, while no server and no pod was away."""
    away = [
        (each.began, each.ended + AFTER_FAULT_SECONDS)
        for each in faults
        if each.name not in HARMLESS_FAULTS
    ]
    found = 0
    for each in operations:
        if each.status is None or each.status <= INTERNAL_ERROR or _overloaded(each):
            continue
        begun, ended = ((at - start).total_seconds() for at in (each.begun, each.ended))
        found += not any(first <= ended and begun <= last for first, last in away)
    return found


def _overloaded(operation: Operation) -> bool:
    answer = operation.answer
    return isinstance(answer, dict) and str(answer.get("type", "")).endswith(OVERLOADED_SUFFIX)
