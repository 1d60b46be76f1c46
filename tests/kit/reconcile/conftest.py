"""A small platform, with nothing in it."""

import pytest

from shared.kit.database import Database
from tests.kit.conftest import Frame
from tests.kit.probe import Clock
from tests.kit.reconcile.small import Small


@pytest.fixture
async def small(frame: Frame, database: Database) -> Small:
    clock = database._clock
    assert isinstance(clock, Clock)
    made = Small(database, frame.url("owner"), frame.url("app"), clock)
    await made.open()
    return made
