"""Limits the request rate of members and tenants, after the token and before the body.

Not limited here: health pages, operators' routes, and routes without a token (signing in has its
own limits).
"""

import math
import time
from collections import OrderedDict

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.contracts.identity import MemberKind, Role
from shared.kit.core.access_tokens import Claims
from shared.kit.core.errors import PreauError, TooMany
from shared.kit.core.policy import Actor
from shared.kit.core.rate_limits import ALLOWED, Charge, RateLimit, RateLimitDecision
from shared.kit.limiting.rate_counter import RateCounter
from shared.kit.limiting.route_limits import RouteCost, RouteLimits
from shared.kit.web.context import app_context, request_claims
from shared.kit.web.idempotency import IdempotentRoute
from shared.kit.web.problems import ProblemResponses
from shared.kit.web.route_table import ROUTE_KEY, access_of

MACHINE_FACTOR = 10
"""The limits of a machine account, as a multiple of a person's."""
ACCOUNT_KIND_TTL_SECONDS, MAX_CACHED_ACCOUNTS = 60.0, 10_000
"""Lifetime and size of the cache of accounts' factors."""
_UNLIMITED_ACCESS = frozenset({"anonymous", "operator"})


def cost_of(route: APIRoute, method: str) -> RouteCost:
    """Return the cost of a route: declared, or by its method."""
    declared: RouteCost | None = route.cost if isinstance(route, IdempotentRoute) else None
    return declared or ("read" if method in {"GET", "HEAD"} else "write")


class RequestsLimited(TooMany):
    """A member or a tenant exceeded a rate limit; `limit` is its name."""

    key = "requests_limited"


class RequestRateLimit:
    """ASGI middleware inside `AccessGuard`: responds with 429 and `Retry-After` over a limit.

    The kind of the account is looked up only when a member's limit is full: a machine account has
    `MACHINE_FACTOR` times the limit, an operator has none.
    """

    def __init__(
        self, app: ASGIApp, limits: RouteLimits, rates: RateCounter, problems: ProblemResponses
    ) -> None:
        self._app, self._rates, self._problems = app, rates, problems
        costs: tuple[RouteCost, ...] = ("read", "write", "heavy", "import")
        self._limits = {cost: limits.limits_for(cost) for cost in costs}
        self._factors: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count a member's request and pass it on, or reject it."""
        route: APIRoute | None = scope.get(ROUTE_KEY)
        if route is None or access_of(route) in _UNLIMITED_ACCESS:
            await self._app(scope, receive, send)
            return
        try:
            decision = await self._count(Request(scope), cost_of(route, scope["method"]))
            if decision.full_limit is not None:
                raise RequestsLimited(
                    limit=decision.full_limit.name, retry_after=decision.retry_after
                )
        except PreauError as error:
            await self._problems.for_error(Request(scope), error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _count(self, request: Request, cost: RouteCost) -> RateLimitDecision:
        """Count the request against both limits. Raises the errors of `RightsReader.find_actor`."""
        claims = await request_claims(request)
        member, tenant = self._limits[cost]
        key, of_tenant = f"{claims.tenant}/{claims.member_id}", Charge(tenant, str(claims.tenant))
        decision = self._rates.take((Charge(member, key), of_tenant))
        if decision.full_limit is not member:
            return decision
        factor = await self._factor(request, key, claims)
        if factor == 1:
            return decision
        if math.isinf(factor):
            return ALLOWED
        extended = RateLimit(
            f"{member.name}.machine", int(member.max_charges * factor), member.window_seconds
        )
        return self._rates.take((Charge(extended, key), of_tenant))

    async def _factor(self, request: Request, key: str, claims: Claims) -> float:
        """Return the multiple of a person's limits that the account has; cached for a minute."""
        now = time.monotonic()
        factor, until = self._factors.get(key, (1.0, now))
        if until > now:
            return factor
        actor = await app_context(request).rights.find_actor(
            claims.tenant, claims.member_id, claims.session
        )
        factor = 1.0 if actor is None else _factor_of(actor)
        self._factors[key] = factor, now + ACCOUNT_KIND_TTL_SECONDS
        while len(self._factors) > MAX_CACHED_ACCOUNTS:
            self._factors.popitem(last=False)
        return factor


def _factor_of(actor: Actor) -> float:
    if actor.holds_anywhere(Role.OPERATOR):
        return math.inf
    return MACHINE_FACTOR if actor.kind is MemberKind.SYSTEM else 1.0
