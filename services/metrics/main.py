"""Metrics, the whole service on one screen."""

from services.metrics.activity import tables as activity_tables
from services.metrics.activity.ports import ActivityDeps
from services.metrics.activity.store import SqlActivity
from services.metrics.dimensions import tables as dimensions_tables
from services.metrics.dimensions.store import SqlDimensions
from services.metrics.events import ACTIVITY, DIMENSIONS, REMEMBERS, REPUTATION, RIGHTS
from services.metrics.kpis import api as kpis_api
from services.metrics.kpis.ports import KpisDeps
from services.metrics.kpis.store import SqlFigures
from services.metrics.reputation import api as reputation_api
from services.metrics.reputation import tables as reputation_tables
from services.metrics.reputation.ports import ReputationDeps
from services.metrics.reputation.store import SqlAlerts
from services.metrics.settings import MetricsSettings
from shared.kit.core.host import Host
from shared.kit.core.reactions import bind
from shared.kit.database.batched.unit import Light
from shared.kit.rights import tables as rights_tables
from shared.kit.rights.store import SqlRights
from shared.kit.runtime.assembly import open_database, service_of
from shared.kit.runtime.service import Service

NAME = "metrics"
TABLES = (
    rights_tables.METADATA,
    dimensions_tables.METADATA,
    activity_tables.METADATA,
    reputation_tables.METADATA,
)


def build(host: Host) -> Service:
    """Put the service together."""
    settings = MetricsSettings.read(host.environment)
    database = open_database(NAME, host, settings)
    batched = Light(database)
    unit, dimensions = database.unit, SqlDimensions()
    reputation = ReputationDeps(unit, SqlAlerts(), dimensions, host.new_id)
    activity = ActivityDeps(SqlActivity(), dimensions)
    routes = [
        kpis_api.routes(KpisDeps(unit, SqlFigures(), dimensions, host.clock)),
        reputation_api.routes(reputation),
    ]
    return service_of(
        NAME,
        host,
        settings,
        database,
        batched,
        routes,
        rights=SqlRights(batched, host.clock),
        reactions=(
            *bind(None, RIGHTS),
            *bind(None, DIMENSIONS),
            *bind(activity, ACTIVITY),
            *bind(reputation, REPUTATION),
        ),
        remembers=bind(reputation, REMEMBERS),
    )
