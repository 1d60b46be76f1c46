"""How often a member and a tenant may ask: counted behind the token, before the body is read.

Health, operating and what needs no token are spared here; signing in has limits of its own.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request

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
"""An account that a machine writes with may ask so many times as often as a person."""
ACCOUNT_KIND_TTL_SECONDS, MAX_CACHED_ACCOUNTS = 60.0, 10_000
"""How long, and of how many accounts, it is remembered what kind they are."""
_SPARED = frozenset({"anonymous", "operator"})
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def load_of(route: APIRoute, method: str) -> RouteCost:
    """Return how much a route costs."""
    declared: RouteCost | None = route.load if isinstance(route, IdempotentRoute) else None
    return declared or ("read" if method in {"GET", "HEAD"} else "write")


class RequestsLimited(TooMany):
    """A member, or a tenant, sent too many requests of one load; `limit` says which."""

    key = "requests_limited"


class RequestRateLimit:
    """ASGI middleware behind `AccessGuard`: answers 429 with the time to wait, or passes.

    Only when a member's own limit is full is it looked up what kind of account it is: one of a
    machine has `MACHINE_FACTOR` times as much, an operator has no limit.
    """

    def __init__(
        self, app: App, limits: RouteLimits, rates: RateCounter, problems: ProblemResponses
    ) -> None:
        self._app, self._rates, self._problems = app, rates, problems
        loads: tuple[RouteCost, ...] = ("read", "write", "heavy", "import")
        self._limits = {load: limits.limits_for(load) for load in loads}
        self._factors: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count a request of a member, or refuse it."""
        route: APIRoute | None = scope.get(ROUTE_KEY)
        if route is None or access_of(route) in _SPARED:
            await self._app(scope, receive, send)
            return
        try:
            decision = await self._count(Request(scope), load_of(route, scope["method"]))
            if decision.full_limit is not None:
                raise RequestsLimited(
                    limit=decision.full_limit.name, retry_after=decision.retry_after
                )
        except PreauError as error:
            await self._problems.for_error(Request(scope), error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _count(self, request: Request, load: RouteCost) -> RateLimitDecision:
        """Raises what reading the member's rights raises."""
        said = await request_claims(request)
        member, tenant = self._limits[load]
        key, of_tenant = f"{said.tenant}/{said.member_id}", Charge(tenant, str(said.tenant))
        decision = self._rates.take((Charge(member, key), of_tenant))
        if decision.full_limit is not member:
            return decision
        factor = await self._factor(request, key, said)
        if factor == 1:
            return decision
        if math.isinf(factor):
            return ALLOWED
        more = RateLimit(
            f"{member.name}.machine", int(member.max_charges * factor), member.window_seconds
        )
        return self._rates.take((Charge(more, key), of_tenant))

    async def _factor(self, request: Request, key: str, said: Claims) -> float:
        """Look up how many times as much as a person an account may do; known for a minute."""
        now = time.monotonic()
        factor, until = self._factors.get(key, (1.0, now))
        if until > now:
            return factor
        who = await app_context(request).rights.find_actor(
            said.tenant, said.member_id, said.session
        )
        factor = 1.0 if who is None else _factor_of(who)
        self._factors[key] = factor, now + ACCOUNT_KIND_TTL_SECONDS
        while len(self._factors) > MAX_CACHED_ACCOUNTS:
            self._factors.popitem(last=False)
        return factor


def _factor_of(who: Actor) -> float:
    if who.holds_anywhere(Role.OPERATOR):
        return math.inf
    return MACHINE_FACTOR if who.kind is MemberKind.SYSTEM else 1.0
