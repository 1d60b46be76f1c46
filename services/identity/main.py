"""Identity, the whole service on one screen."""

from dataclasses import dataclass

from services.identity.members import api as members_api
from services.identity.members import tables as members_tables
from services.identity.members.ports import MembersDeps
from services.identity.members.store import SqlMembers
from services.identity.roles import api as roles_api
from services.identity.roles import tables as roles_tables
from services.identity.roles.ports import RolesDeps
from services.identity.roles.store import IdentityRights, SqlRoles
from services.identity.sessions import api as sessions_api
from services.identity.sessions import tables as sessions_tables
from services.identity.sessions.ports import Hasher, PasswordStrengthEstimator, SessionsDeps
from services.identity.sessions.store.credentials import SqlCredentials
from services.identity.sessions.store.hasher import Argon2Hasher
from services.identity.sessions.store.invitations import SqlInvitations
from services.identity.sessions.store.member_lookup import SqlMemberLookup
from services.identity.sessions.store.password_strength import ZxcvbnEstimator
from services.identity.sessions.store.refresh_tokens import HmacRefreshTokens
from services.identity.sessions.store.sessions import SqlSessions
from services.identity.sessions.store.signer import JwtSigner
from services.identity.settings import IdentitySettings
from services.identity.structures import api as structures_api
from services.identity.structures import tables as structures_tables
from services.identity.structures.ports import StructuresDeps
from services.identity.structures.store import SqlStructures
from services.identity.tenants import api as tenants_api
from services.identity.tenants import tables as tenants_tables
from services.identity.tenants.ports import TenantsDeps
from services.identity.tenants.store import SqlTenants
from shared.kit.core.host import Host
from shared.kit.core.rate_limits import RateLimiter
from shared.kit.database.batched.unit import BatchedDatabase
from shared.kit.database.database import Database
from shared.kit.limiting.fallback import open_limiter
from shared.kit.limiting.memory import MemoryLimiter
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


@dataclass(frozen=True)
class Features:
    """What each feature's handlers are handed."""

    tenants: TenantsDeps
    structures: StructuresDeps
    members: MembersDeps
    roles: RolesDeps
    sessions: SessionsDeps


def build_features(
    host: Host,
    settings: IdentitySettings,
    database: Database,
    limiter: RateLimiter | None = None,
    hasher: Hasher | None = None,
    strength_estimator: PasswordStrengthEstimator | None = None,
) -> Features:
    """Fill every feature's dependencies; a limiter that is left out counts in this process."""
    unit, clock, new_id = database.unit, host.clock, host.new_id
    tenants, structures = SqlTenants(), SqlStructures()
    memberships, roles, sessions = SqlMembers(), SqlRoles(), SqlSessions()
    signer = JwtSigner(
        settings.signing_key, issuer=settings.issuer, audience=settings.audience, clock=clock
    )
    return Features(
        TenantsDeps(unit, tenants, structures, memberships, roles, clock, new_id),
        StructuresDeps(unit, structures, new_id),
        MembersDeps(unit, memberships, structures, new_id, sessions),
        RolesDeps(unit, roles, structures, memberships),
        SessionsDeps(
            unit,
            tenants,
            SqlCredentials(),
            sessions,
            hasher or Argon2Hasher(),
            signer,
            clock,
            new_id,
            limiter or MemoryLimiter(),
            settings.guess_limits(),
            invitations=SqlInvitations(),
            member_lookup=SqlMemberLookup(),
            strength_estimator=strength_estimator or ZxcvbnEstimator(),
            refresh_tokens=HmacRefreshTokens(settings.signing_key),
        ),
    )


def build(host: Host) -> Service:
    """Put the service together."""
    settings = IdentitySettings.from_environment(host.environment)
    database = open_database(NAME, host, settings)
    batched = BatchedDatabase(database)
    limiter = open_limiter(settings.redis_url, host.telemetry)
    hasher, judge = Argon2Hasher(), ZxcvbnEstimator()
    deps = build_features(host, settings, database, limiter, hasher, judge)
    routes = [
        tenants_api.routes(deps.tenants, deps.sessions),
        structures_api.routes(deps.structures),
        members_api.routes(deps.members, deps.sessions),
        roles_api.routes(deps.roles),
        sessions_api.routes(deps.sessions),
    ]
    extra = [sessions_api.key_routes(deps.sessions)]
    rights = IdentityRights(database, host.clock)
    return assemble_service(
        NAME,
        host,
        settings,
        database,
        batched,
        routes,
        rights=rights,
        extra_routers=extra,
        limiter=limiter,
        resources=(hasher, judge),
    )
