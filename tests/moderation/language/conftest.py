from datetime import date

import pytest

from services.moderation.rules.handlers.engine import RuleEngine
from services.moderation.rules.handlers.open_engine import open_engine


@pytest.fixture(scope="session")
def engine() -> RuleEngine:
    return open_engine(today=lambda: date(2026, 9, 1))
