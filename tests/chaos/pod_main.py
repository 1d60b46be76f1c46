"""`python -m tests.chaos.pod_main community [--role worker]`: a pod that can be hurt.

The program of a real pod, its failpoints watched, and one of its guards switched off if this test
program's own variable says so. Nothing of it is in an image.
"""

import os

from shared.kit.runtime.__main__ import main
from tests.chaos.disabled_guards import MUTANT_VARIABLE, switch_off
from tests.chaos.fault_injection import install_faults
from tests.chaos.next_build import NEXT_BUILD_VARIABLE, install_next_build


def start() -> None:
    """Arm, mutate, run."""
    install_faults()
    if os.environ.pop(NEXT_BUILD_VARIABLE, ""):
        install_next_build()
    name = os.environ.pop(MUTANT_VARIABLE, "")
    if name:
        switch_off(name)
    main()


if __name__ == "__main__":
    start()
