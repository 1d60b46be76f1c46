"""`python -m tests.chaos.pod community [--role worker]`: a pod that can be hurt.

The program of a real pod, its failpoints watched, and one of its guards switched off if this test
program's own variable says so. Nothing of it is in an image.
"""

import os

from shared.kit.runtime.__main__ import main
from tests.chaos.disabled_guards import MUTANT, switch_off
from tests.chaos.fault_injection import arm
from tests.chaos.next_build import NEXT, become


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
