"""A house whose members may do only so much, and a second tenant."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

from shared.contracts import cast
from shared.contracts.identity import MemberKind
from shared.contracts.ids import MemberId, TenantId
from shared.kit.core.access_tokens import Claims
from shared.kit.core.errors import Unauthorised
from shared.kit.core.policy import Actor
from shared.kit.limiting.rates import Rates
from shared.kit.limiting.route_limits import RouteLimits
from shared.kit.web.cursors import Model
from shared.kit.web.routes import Routes
from tests.support.manual_clock import Moment
from tests.support.sample_app import House, Rights

ELSEWHERE = TenantId(uuid4())


class Everybody:
    """`pupil3` and `teacher` are of one tenant, `foreigner` of another, `hamid` operates."""

    def __init__(self) -> None:
        self.ids: dict[str, UUID] = {"hamid": cast.HAMID}

    async def verify(self, token: str) -> Claims:
        if token == "nobody":
            raise Unauthorised(reason="unknown")
        tenant = ELSEWHERE if token.startswith("foreigner") else cast.TENANT
        return Claims(MemberId(self.ids.setdefault(token, uuid4())), tenant, "session")


@dataclass
class SomeMachines(Rights):
    """The account `robot` is a machine's."""

    machines: set[UUID] = field(default_factory=set)

    async def actor(
        self, tenant: TenantId, member_id: MemberId, session: str | None = None
    ) -> Actor | None:
        who = await super().actor(tenant, member_id, session)
        if who is not None and member_id in self.machines:
            return Actor(tenant, member_id, kind=MemberKind.SYSTEM)
        return who


@dataclass
class LimitedHouse(House):
    """Everything as in a house; `moment` is the clock of its limits."""

    limits: RouteLimits | None = field(default_factory=RouteLimits)
    moment: Moment = field(default_factory=Moment)

    def __post_init__(self) -> None:
        self.everybody = Everybody()
        self.machines = SomeMachines()
        self.rights = self.machines
        self.verifier = self.everybody
        self.rates = Rates("notes", wall=self.moment)
        super().__post_init__()

    def notes(self) -> Routes:
        routes = super().notes()

        @routes.get("/figures", action="note.measure", load="heavy")
        async def measure() -> Model:
            return Model()

        @routes.post("/chunks", action="note.import", load="import")
        async def bring() -> Model:
            return Model()

        return routes

    async def statuses(self, who: str, number: int, path: str = "/v1/notes") -> list[int]:
        """Send so many posts of a member, one after the other."""
        async with self.client(who) as client:
            return [
                (await client.post(path, json={"text": "Il pleut"})).status_code
                for _ in range(number)
            ]
