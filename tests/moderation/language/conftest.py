from datetime import date

import pytest

from services.moderation.rules.handlers.open_engine import open_engine
from services.moderation.rules.handlers.screen_text import Engine


@pytest.fixture(scope="session")
def engine() -> Engine:
    return open_engine(today=lambda: date(2026, 9, 1))
