"""`python -m tests.system.faults.pod community [--role worker]`: a pod that can be hurt.

The program of a real pod, its failpoints watched, and one of its guards switched off if this test
program's own variable says so. Nothing of it is in an image.
"""

import os

from shared.kit.pod import main
from tests.system.faults.armed import arm
from tests.system.faults.mutants import MUTANT, switch_off
from tests.system.faults.next_build import NEXT, become


def start() -> None:
    """Arm, mutate, run."""
    arm()
    if os.environ.pop(NEXT, ""):
        become()
    name = os.environ.pop(MUTANT, "")
    if name:
        switch_off(name)
    main()


if __name__ == "__main__":
    start()
