"""The oracle on a small dump of our own: what the platform says is what stands in the XML."""

from pathlib import Path

import pytest

from tests.oracle.__main__ import check
from tests.oracle.counting import count
from tests.oracle.platform import surroundings

DUMP = Path(__file__).with_name("dump")


@pytest.mark.system
@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.timeout(300)
def test_every_row_and_every_month_agree() -> None:
    # Never the platform that happens to run: its own port, its own folder, gone afterwards.
    outside = {name: text for name, text in surroundings().items() if name != "PREAU_PORT"}
    assert check(count(DUMP), DUMP, "Entraide d’été ☀️", outside) == 0
