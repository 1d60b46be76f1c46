import pytest

from services.moderation.text.domain.reading import Reader
from services.moderation.text.handlers.open_reader import open_reader


@pytest.fixture(scope="session")
def reader() -> Reader:
    return open_reader()
