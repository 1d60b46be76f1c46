"""The moderation service: its dependencies, routes, reactions and resources."""

from services.moderation.appeals import api as appeals_api
from services.moderation.appeals import tables as appeals_tables
from services.moderation.appeals.ports import AppealsDeps
from services.moderation.appeals.store import SqlAppeals
from services.moderation.cases import api as cases_api
from services.moderation.cases import tables as cases_tables
from services.moderation.cases.ports import CasesDeps
from services.moderation.cases.store import (
    SqlCaseHistories,
    SqlCases,
    SqlDecisions,
    SqlRemovals,
    SqlStatements,
)
from services.moderation.events import CASES, RIGHTS_REACTIONS, SCREENING
from services.moderation.rules.handlers.open_engine import open_engine
from services.moderation.screening import tables as screening_tables
from services.moderation.screening.ports import ScreeningDeps
from services.moderation.screening.store import (
    InProcessScreener,
    SqlHelpOffers,
    SqlScreenings,
    WorkerPoolScreener,
)
from services.moderation.settings import ModerationSettings
from shared.contracts.moderation import HelpWords
from shared.kit.core.host import Host
from shared.kit.core.reactions import bind
from shared.kit.database.batched.unit import BatchedDatabase
from shared.kit.rights import tables as rights_tables
from shared.kit.rights.store import SqlRights
from shared.kit.runtime.assembly import assemble_service, open_database
from shared.kit.runtime.service import Service
from shared.kit.windows.fallback import open_windows
from shared.kit.workers.pool import WorkerPool, usable_core_count, worker_count
from shared.kit.workers.process import WorkerJob

NAME = "moderation"
SCREENING_JOB = "services.moderation.screening.handlers.worker:open_screening_worker"
TABLES = (
    rights_tables.METADATA,
    screening_tables.METADATA,
    cases_tables.METADATA,
    appeals_tables.METADATA,
)


def build(host: Host) -> Service:
    """Build the service; every rule is checked on its examples here."""
    settings = ModerationSettings.from_environment(host.environment)
    database = open_database(NAME, host, settings)
    batched = BatchedDatabase(database)
    engine = open_engine(today=lambda: host.clock().date())
    screenings = SqlScreenings(settings.seal_key)
    cases = CasesDeps(
        database.unit,
        SqlCases(),
        SqlCaseHistories(),
        SqlDecisions(),
        screenings,
        SqlRemovals(),
        host.new_id,
    )
    messages = {
        key: HelpWords(fr=message.fr, en=message.en) for key, message in engine.messages.items()
    }
    pool = _screening_pool(settings, host)
    screener = WorkerPoolScreener(pool) if pool.size else InProcessScreener(engine)
    windows = open_windows(settings.redis_url, host.telemetry)
    screening = ScreeningDeps(
        screener, windows, screenings, SqlHelpOffers(), messages, cases, host.clock, host.new_id
    )
    appeals = AppealsDeps(SqlStatements(), SqlAppeals(settings.seal_key), cases)
    return assemble_service(
        NAME,
        host,
        settings,
        database,
        batched,
        [cases_api.routes(cases), appeals_api.routes(appeals, messages)],
        rights=SqlRights(batched, host.clock),
        reactions=(*bind(None, RIGHTS_REACTIONS), *bind(screening, SCREENING), *bind(cases, CASES)),
        resources=(pool, windows),
    )


def _screening_pool(settings: ModerationSettings, host: Host) -> WorkerPool:
    """Return the pool of screening processes; they start with the first text."""
    job = WorkerJob(SCREENING_JOB, settings.screening_deadline_ms / 1000)
    size = worker_count(settings.screening_workers, usable_core_count())
    return WorkerPool("screening", job, size, host.telemetry)
