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
    """Count responses of 500: an outage or overload must be reported as 503 or 504."""
    return sum(operation.status == INTERNAL_ERROR for operation in operations)


def count_unexplained_errors(
    operations: Iterable[Operation], faults: Sequence[FaultInterval], start: datetime
) -> int:
    """Count other answers of 5xx, but for overload, while no server and no pod was away."""
    outages = [
        (operation.began, operation.ended + AFTER_FAULT_SECONDS)
        for operation in faults
        if operation.name not in HARMLESS_FAULTS
    ]
    unexplained = 0
    for fault in operations:
        if fault.status is None or fault.status <= INTERNAL_ERROR or _is_overloaded(fault):
            continue
        begun, ended = ((at - start).total_seconds() for at in (fault.begun, fault.ended))
        unexplained += not any(first <= ended and begun <= last for first, last in outages)
    return unexplained


def _is_overloaded(operation: Operation) -> bool:
    problem = operation.answer
    return isinstance(problem, dict) and str(problem.get("type", "")).endswith(OVERLOADED_SUFFIX)
