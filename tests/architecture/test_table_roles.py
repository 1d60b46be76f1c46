"""Every table declares its role: what a replay may rebuild, and what it must not touch."""

from collections.abc import Iterator
from importlib import import_module

import pytest
import sqlalchemy as sa

from shared.kit.core.reactions import Reaction
from shared.kit.database.tables import TableRole, table_role
from tests.architecture.source_tree import SERVICES


def declared_tables(service: str) -> Iterator[sa.Table]:
    for metadata in import_module(f"services.{service}.main").TABLES:
        yield from metadata.sorted_tables


@pytest.mark.parametrize("service", SERVICES)
def test_every_table_declares_its_role(service: str) -> None:
    undeclared = [table.name for table in declared_tables(service) if table_role(table) is None]
    assert not undeclared, (
        f"give these a role (shared.kit.database.tables.TableRole): {', '.join(undeclared)}"
    )


@pytest.mark.parametrize("service", SERVICES)
def test_service_has_projections_if_it_consumes_events(service: str) -> None:
    consumes = import_module(f"services.{service}.events").CONSUMES
    projections = [
        table.name
        for table in declared_tables(service)
        if table_role(table) is TableRole.PROJECTION
    ]
    assert bool(projections) == bool(consumes)


@pytest.mark.parametrize("service", SERVICES)
def test_own_event_tables_have_replay_only_reactions(service: str) -> None:
    """A table of own decisions needs a reaction to the events that published them."""
    own_tables = [
        table.name
        for table in declared_tables(service)
        if table_role(table) is TableRole.OWN_EVENTS
    ]
    events = import_module(f"services.{service}.events")
    replay_only: tuple[Reaction[object], ...] = getattr(events, "REPLAY_ONLY", ())
    assert not own_tables or replay_only
    foreign = {f for r in replay_only for f in r.on} - set(events.PUBLISHES)
    assert not foreign, "replay-only reactions take only events of their own service"
