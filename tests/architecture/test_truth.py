"""Every table says where its truth stands: what a replay may rebuild, what it must not touch."""

from collections.abc import Iterator
from importlib import import_module

import pytest
import sqlalchemy as sa

from shared.kit.core.reactions import Reaction
from shared.kit.database.tables import TableRole, table_role
from tests.architecture.tree import SERVICES


def declared(service: str) -> Iterator[sa.Table]:
    for metadata in import_module(f"services.{service}.main").TABLES:
        yield from metadata.sorted_tables


@pytest.mark.parametrize("service", SERVICES)
def test_every_table_says_where_its_truth_stands(service: str) -> None:
    silent = [table.name for table in declared(service) if table_role(table) is None]
    assert not silent, f"give these a truth (shared.kit.database.tables.Truth): {', '.join(silent)}"


@pytest.mark.parametrize("service", SERVICES)
def test_what_reads_no_facts_has_no_read_model(service: str) -> None:
    consumes = import_module(f"services.{service}.events").CONSUMES
    read = [table.name for table in declared(service) if table_role(table) is TableRole.PROJECTION]
    assert bool(read) == bool(consumes)


@pytest.mark.parametrize("service", SERVICES)
def test_what_was_told_can_be_remembered(service: str) -> None:
    """A table of own decisions needs a reaction to the facts that told them."""
    own_tables = [
        table.name for table in declared(service) if table_role(table) is TableRole.OWN_EVENTS
    ]
    events = import_module(f"services.{service}.events")
    remembers: tuple[Reaction[object], ...] = getattr(events, "REPLAY_ONLY", ())
    assert not own_tables or remembers
    foreign = {f for r in remembers for f in r.on} - set(events.PUBLISHES)
    assert not foreign, "a service remembers only what it told itself"
