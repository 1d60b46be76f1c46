"""Wiring of the identity service."""

from services.identity.features import build_features
from services.identity.members import api as members_api
from services.identity.members import tables as members_tables
from services.identity.roles import api as roles_api
from services.identity.roles import tables as roles_tables
from services.identity.roles.store import IdentityRights
from services.identity.sessions import api as sessions_api
from services.identity.sessions import tables as sessions_tables
from services.identity.sessions.store.hasher import Argon2Hasher
from services.identity.sessions.store.password_strength import ZxcvbnEstimator
from services.identity.settings import IdentitySettings
from services.identity.structures import api as structures_api
from services.identity.structures import tables as structures_tables
from services.identity.tenants import api as tenants_api
from services.identity.tenants import tables as tenants_tables
from shared.kit.core.host import Host
from shared.kit.database.batched.unit import BatchedDatabase
from shared.kit.limiting.fallback import open_limiter
from shared.kit.runtime.assembly import assemble_service, open_database
from shared.kit.runtime.service import Service

NAME = "identity"
TABLES = (
    tenants_tables.METADATA,
    structures_tables.METADATA,
    members_tables.METADATA,
    roles_tables.METADATA,
    sessions_tables.METADATA,
)


def build(host: Host) -> Service:
    """Build the service from the process's settings and connections."""
    settings = IdentitySettings.from_environment(host.environment)
    database = open_database(NAME, host, settings)
    limiter = open_limiter(settings.redis_url, host.telemetry)
    hasher, strength = Argon2Hasher(), ZxcvbnEstimator()
    deps = build_features(host, settings, database, limiter, hasher, strength)
    routes = [
        tenants_api.routes(deps.tenants, deps.sessions),
        structures_api.routes(deps.structures),
        members_api.routes(deps.members, deps.sessions),
        roles_api.routes(deps.roles),
        sessions_api.routes(deps.sessions),
    ]
    return assemble_service(
        NAME,
        host,
        settings,
        database,
        BatchedDatabase(database),
        routes,
        rights=IdentityRights(database, host.clock),
        extra_routers=[sessions_api.key_routes(deps.sessions)],
        limiter=limiter,
        resources=(hasher, strength),
    )
