"""The checker's input: a finished run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.stack import StackAddresses
from shared.contracts.ids import TenantId

FOREIGN_SOURCE = "/foreign/faults"
"""The CloudEvents source of records that no service of ours wrote."""


@dataclass(frozen=True)
class FinishedRun:
    """A run whose faults are over, whose pods are up and whose outboxes are empty.

    `urls` are base URLs of the services, without their `/<name>`. `journal` holds this run's
    operations only; the databases and the log may hold earlier runs' too. Valid records of the
    fault suite's own producer (late, future-dated, of a newer version) have the source
    `FOREIGN_SOURCE`
    and a tenant that no service knows; what is no envelope at all is the suite's poison. Some
    records stand in the log twice, byte for byte.
    """

    seed: int
    addresses: StackAddresses
    urls: Mapping[str, str]
    journal: Path
    home: Path
    tenants: Sequence[TenantId]
