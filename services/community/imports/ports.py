"""Ports of imports."""

from dataclasses import dataclass

from services.community.conversations.ports import Contents
from services.community.spaces.ports import Spaces
from shared.kit.core.unit_of_work import Units


@dataclass(frozen=True)
class ImportsDeps:
    """Dependencies of the handlers of imports."""

    unit: Units
    contents: Contents
    spaces: Spaces
