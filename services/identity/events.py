"""Published events of identity, which consumes none."""

from shared.contracts.identity import PUBLISHES
from shared.kit.core.reactions import Reaction

CONSUMES: tuple[Reaction[None], ...] = ()

__all__ = ["CONSUMES", "PUBLISHES"]
