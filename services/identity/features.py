"""Dependencies of identity's features."""

from dataclasses import dataclass

from services.identity.members.ports import MembersDeps
from services.identity.members.store import SqlMembers
from services.identity.roles.ports import RolesDeps
from services.identity.roles.store import SqlRoles
from services.identity.sessions.ports import (
    AttemptDeps,
    Hasher,
    PasswordDeps,
    PasswordStrengthEstimator,
    SessionsDeps,
    TokenDeps,
)
from services.identity.sessions.store.credentials import SqlCredentials
from services.identity.sessions.store.hasher import Argon2Hasher
from services.identity.sessions.store.invitations import SqlInvitations
from services.identity.sessions.store.member_lookup import SqlMemberLookup
from services.identity.sessions.store.password_strength import ZxcvbnEstimator
from services.identity.sessions.store.refresh_tokens import HmacRefreshTokens
from services.identity.sessions.store.sessions import SqlSessions
from services.identity.sessions.store.signer import JwtSigner
from services.identity.settings import IdentitySettings
from services.identity.structures.ports import StructuresDeps
from services.identity.structures.store import SqlStructures
from services.identity.tenants.ports import TenantsDeps
from services.identity.tenants.store import SqlTenants
from shared.kit.core.host import Host
from shared.kit.core.rate_limits import RateLimiter
from shared.kit.core.unit_of_work import Clock
from shared.kit.database.database import Database
from shared.kit.limiting.memory import MemoryLimiter


@dataclass(frozen=True)
class Features:
    """Dependencies of each feature's handlers."""

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
    strength: PasswordStrengthEstimator | None = None,
) -> Features:
    """Build the dependencies; the default limiter counts in this process only."""
    unit, clock, new_id = database.unit, host.clock, host.new_id
    tenants, structures = SqlTenants(), SqlStructures()
    members, roles, sessions = SqlMembers(), SqlRoles(), SqlSessions()
    passwords = PasswordDeps(
        SqlCredentials(), hasher or Argon2Hasher(), strength or ZxcvbnEstimator()
    )
    return Features(
        TenantsDeps(unit, tenants, structures, members, roles, clock, new_id),
        StructuresDeps(unit, structures, new_id),
        MembersDeps(unit, members, structures, new_id, sessions),
        RolesDeps(unit, roles, structures, members),
        SessionsDeps(
            unit=unit,
            clock=clock,
            new_id=new_id,
            tenant_directory=tenants,
            member_lookup=SqlMemberLookup(),
            sessions=sessions,
            invitations=SqlInvitations(),
            passwords=passwords,
            tokens=_token_deps(settings, clock),
            attempts=AttemptDeps(limiter or MemoryLimiter(), settings.guess_limits()),
        ),
    )


def _token_deps(settings: IdentitySettings, clock: Clock) -> TokenDeps:
    key = settings.signing_key
    signer = JwtSigner(key, issuer=settings.issuer, audience=settings.audience, clock=clock)
    return TokenDeps(
        access=signer, refresh=HmacRefreshTokens(key), invitation=signer, device=signer
    )
