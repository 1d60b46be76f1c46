"""The sample application with request rate limits and a second tenant."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

from shared.contracts import example_data
from shared.contracts.identity import MemberKind
from shared.contracts.ids import MemberId, TenantId
from shared.kit.core.access_tokens import Claims
from shared.kit.core.errors import Unauthorised
from shared.kit.core.policy import Actor
from shared.kit.limiting.rate_counter import RateCounter
from shared.kit.limiting.route_limits import RouteLimits
from shared.kit.web.cursors import ApiModel
from shared.kit.web.routes import Routes
from tests.support.manual_clock import ManualClock
from tests.support.sample_app import FakeRights, SampleApp

OTHER_TENANT = TenantId(uuid4())


class TenantVerifier:
    """`foreigner…` belongs to another tenant than all others; `hamid` is an operator."""

    def __init__(self) -> None:
        self.ids: dict[str, UUID] = {"hamid": example_data.HAMID}

    async def verify(self, token: str) -> Claims:
        if token == "nobody":
            raise Unauthorised(reason="unknown")
        tenant = OTHER_TENANT if token.startswith("foreigner") else example_data.TENANT
        return Claims(MemberId(self.ids.setdefault(token, uuid4())), tenant, "session")


@dataclass
class RightsWithMachines(FakeRights):
    """Rights in which some accounts are machine accounts."""

    machines: set[UUID] = field(default_factory=set)

    async def find_actor(
        self, tenant: TenantId, member_id: MemberId, session: str | None = None
    ) -> Actor | None:
        actor = await super().find_actor(tenant, member_id, session)
        if actor is not None and member_id in self.machines:
            return Actor(tenant, member_id, kind=MemberKind.SYSTEM)
        return actor


@dataclass
class RateLimitedApp(SampleApp):
    """The sample application with rate limits on a manual `clock`."""

    limits: RouteLimits | None = field(default_factory=RouteLimits)
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.accounts = TenantVerifier()
        self.machines = RightsWithMachines()
        self.rights = self.machines
        self.verifier = self.accounts
        self.rates = RateCounter("notes", wall_clock=self.clock)
        super().__post_init__()

    def note_routes(self) -> Routes:
        routes = super().note_routes()

        @routes.get("/figures", action="note.measure", cost="heavy")
        async def measure() -> ApiModel:
            return ApiModel()

        @routes.post("/chunks", action="note.import", cost="import")
        async def import_chunk() -> ApiModel:
            return ApiModel()

        return routes

    async def statuses(self, user: str, number: int, path: str = "/v1/notes") -> list[int]:
        """Send `number` posts of a user one after the other; return their statuses."""
        async with self.client(user) as client:
            return [
                (await client.post(path, json={"text": "Il pleut"})).status_code
                for _ in range(number)
            ]
