from datetime import date

import pytest

from services.moderation.rules.handlers.engine import RuleEngine
from services.moderation.rules.handlers.open_engine import open_engine
from services.moderation.text.domain.analysis import TextAnalyser
from services.moderation.text.handlers.open_analyser import open_analyser

TODAY = date(2026, 9, 1)


@pytest.fixture(scope="session")
def engine() -> RuleEngine:
    return open_engine(today=lambda: TODAY)


@pytest.fixture(scope="session")
def analyser() -> TextAnalyser:
    return open_analyser()
