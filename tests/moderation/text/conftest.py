import pytest

from services.moderation.text.domain.analysis import TextAnalyser
from services.moderation.text.handlers.open_analyser import open_analyser


@pytest.fixture(scope="session")
def analyser() -> TextAnalyser:
    return open_analyser()
