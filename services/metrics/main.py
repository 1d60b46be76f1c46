"""Metrics: assembly of the service."""

from services.metrics.activity import tables as activity_tables
from services.metrics.activity.ports import ActivityDeps
from services.metrics.activity.store import SqlActivityCounters, SqlDeferredEvents
from services.metrics.dimensions import tables as dimensions_tables
from services.metrics.dimensions.store import SqlDimensions
from services.metrics.events import ACTIVITY, DIMENSIONS, REPLAY_ONLY, REPUTATION, RIGHTS_REACTIONS
from services.metrics.kpis import api as kpis_api
from services.metrics.kpis.ports import KpisDeps
from services.metrics.kpis.store import SqlActivityRecords
from services.metrics.reputation import api as reputation_api
from services.metrics.reputation import tables as reputation_tables
from services.metrics.reputation.ports import ReputationDeps
from services.metrics.reputation.store import SqlAlerts, SqlFlags
from services.metrics.settings import MetricsSettings
from shared.kit.core.host import Host
from shared.kit.core.reactions import bind
from shared.kit.database.batched.unit import BatchedDatabase
from shared.kit.rights import tables as rights_tables
from shared.kit.rights.store import SqlRights
from shared.kit.runtime.assembly import assemble_service, open_database
from shared.kit.runtime.service import Service

NAME = "metrics"
TABLES = (
    rights_tables.METADATA,
    dimensions_tables.METADATA,
    activity_tables.METADATA,
    reputation_tables.METADATA,
)


def build(host: Host) -> Service:
    """Build the service from its settings."""
    settings = MetricsSettings.from_environment(host.environment)
    database = open_database(NAME, host, settings)
    batched = BatchedDatabase(database)
    unit, dimensions = database.unit, SqlDimensions()
    reputation = ReputationDeps(unit, SqlFlags(), SqlAlerts(), dimensions, host.new_id)
    activity = ActivityDeps(SqlActivityCounters(), SqlDeferredEvents(), dimensions)
    routes = [
        kpis_api.routes(KpisDeps(unit, SqlActivityRecords(), dimensions, host.clock)),
        reputation_api.routes(reputation),
    ]
    return assemble_service(
        NAME,
        host,
        settings,
        database,
        batched,
        routes,
        rights=SqlRights(batched, host.clock),
        reactions=(
            *bind(None, RIGHTS_REACTIONS),
            *bind(None, DIMENSIONS),
            *bind(activity, ACTIVITY),
            *bind(reputation, REPUTATION),
        ),
        replay_only_reactions=bind(reputation, REPLAY_ONLY),
    )
