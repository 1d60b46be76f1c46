"""The random workload: people of several tenants, through the public API."""

from collections.abc import Mapping

from deploy.local.seed import Seeded
from tests.system.faults.workload.journal import Journal


async def run(
    urls: Mapping[str, str],
    seeded: Seeded,
    seed: int,
    journal: Journal,
    seconds: float,
    rate: float,
) -> None:
    """Let people ask `rate` operations a second for `seconds`, and journal each as it ends.

    `urls` gives each service's base URL; it is looked up at every request, so that a service may
    move. The same seed asks for the same operations in the same order, person by person; answers
    decide ids. A service that is down is journalled, never raised. Returns when the last answer,
    or its time-out, has come: at most ten seconds late.
    """
    raise NotImplementedError
