"""Settings of Python's garbage collector for a process that serves requests and events."""

import gc

GC_THRESHOLDS = (20_000, 20, 50)
"""New objects before a young collection, young before a middle one, middle before a full one."""


def relax_garbage_collector() -> None:
    """Collect reference cycles less often and never scan the objects that exist at the start.

    With its defaults the collector scans all objects of a service repeatedly while one batch is
    decoded: half of the processor time (tests/benchmarks, case `effect`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
