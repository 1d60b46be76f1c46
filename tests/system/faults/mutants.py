"""Guards of the backbone, each of which can be switched off in a pod."""

from collections.abc import Callable

MUTANT = "FAULTS_MUTANT"
"""The variable that names the guard; a real pod does not read it."""

MUTANTS: dict[str, Callable[[], None]] = {}


def switch_off(name: str) -> None:
    """Switch off one guard in this process."""
    MUTANTS[name]()
