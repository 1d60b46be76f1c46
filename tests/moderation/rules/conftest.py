from datetime import date

import pytest

from services.moderation.rules.handlers.open_engine import open_engine
from services.moderation.rules.handlers.screen_text import Engine
from services.moderation.text.domain.reading import Reader
from services.moderation.text.handlers.open_reader import open_reader

TODAY = date(2026, 9, 1)


@pytest.fixture(scope="session")
def engine() -> Engine:
    return open_engine(today=lambda: TODAY)


@pytest.fixture(scope="session")
def reader() -> Reader:
    return open_reader()
