"""Activity around a text: bursts, copies and pile-ons, counted in windows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from services.moderation.rules.domain.facts import ActivityCounts
from services.moderation.rules.handlers.open_engine import open_engine
from services.moderation.screening.domain import ScreeningResult
from services.moderation.screening.handlers.activity import COUNTER_KINDS, WINDOW_SECONDS
from services.moderation.screening.handlers.screen_texts import screen_texts
from services.moderation.screening.ports import ScreeningDeps
from services.moderation.screening.store import InProcessScreener
from shared.contracts import example_data
from shared.contracts.community import CommentPublished, ContentText, PostEdited, PostPublished
from shared.contracts.community.contents import ContentKind, ContentRef, TextFact
from shared.contracts.event import Origin, Person, Sealed
from shared.contracts.ids import ContentId, EventId, MemberId
from shared.contracts.moderation import Verdict
from shared.kit.core.bus import Partition
from shared.kit.core.sliding_windows import SlidingWindows
from shared.kit.core.unit_of_work import Delivery
from shared.kit.redis.client import RedisClient
from shared.kit.telemetry.noop import NoTelemetry
from shared.kit.windows.fallback import FallbackWindows
from shared.kit.windows.memory import MemoryWindows
from shared.kit.windows.redis_windows import RedisWindows

ADVERT = "Super site https://exemple.org/promo pour tout acheter moins cher ce soir"
MEMBERS = [MemberId(UUID(int=0xAA00 + number)) for number in range(12)]


def person(number: int) -> Person:
    return Person(member_id=MEMBERS[number])


def delivery(fact: TextFact, at: datetime, origin: Origin = Origin.LIVE) -> Delivery[TextFact]:
    return Delivery(
        fact=fact,
        event_id=EventId(uuid7()),
        tenant=example_data.TENANT,
        time=at,
        recorded=at,
        received=at,
        origin=origin,
        correlation="essai",
        sequence=1,
        key="clé",
        partition=Partition("community.post", 0),
        offset=0,
    )


@dataclass
class SpaceScenario:
    """A space in which members write texts one after the other."""

    windows: SlidingWindows = field(default_factory=MemoryWindows)
    now: datetime = example_data.NOON

    def __post_init__(self) -> None:
        screener = InProcessScreener(open_engine(today=lambda: datetime.now(UTC).date()))
        ports: Any = None  # Any: what screening alone does not need
        self.deps = ScreeningDeps(screener, self.windows, *[ports] * 6)

    def post(self, text: str, author: int = 0, kind: type[TextFact] = PostPublished) -> TextFact:
        ref = ContentRef(kind=ContentKind.DISCUSSION, id=(post := ContentId(uuid7())), root_id=post)
        return self._written(kind, ref, text, author)

    def comment(self, text: str, author: int, target: int) -> TextFact:
        root = ContentId(UUID(int=1))
        ref = ContentRef(kind=ContentKind.COMMENT, id=ContentId(uuid7()), root_id=root)
        return self._written(CommentPublished, ref, text, author, reply_to=person(target))

    def _written(
        self, kind: type[TextFact], ref: ContentRef, text: str, author: int, **more: Any
    ) -> TextFact:
        content = Sealed(clear=ContentText(body=text, language="fr"))
        return kind(
            ref=ref,
            space_id=example_data.SPACE,
            structure_id=example_data.COLLEGE,
            author=person(author),
            content=content,
            **more,
        )

    async def reads(self, *facts: TextFact, apart: float = 1, at_once: bool = False) -> list[str]:
        """Screen texts, `apart` seconds apart, one by one or in one batch; return verdicts."""
        deliveries = []
        for fact in facts:
            self.now += timedelta(seconds=apart)
            deliveries.append(delivery(fact, self.now))
        return [result.verdict.value for result in await self.screens(deliveries, at_once=at_once)]

    async def screens(
        self, deliveries: Sequence[Delivery[TextFact]], *, at_once: bool = False
    ) -> list[ScreeningResult]:
        if at_once:
            return list(await screen_texts(self.deps, deliveries))
        return [(await screen_texts(self.deps, [delivery]))[0] for delivery in deliveries]


@pytest.fixture
def scenario() -> SpaceScenario:
    return SpaceScenario()


def test_every_count_available_to_rules_is_filled() -> None:
    counted = {f"{kind}_{window}" for kind in COUNTER_KINDS for window in WINDOW_SECONDS}
    assert set(ActivityCounts.__struct_fields__) == counted


@pytest.mark.parametrize("at_once", [False, True])
async def test_a_burst_of_links_is_hidden_from_the_eighth_on(
    scenario: SpaceScenario, at_once: bool
) -> None:
    posts = [scenario.post(f"{ADVERT} numéro {number}") for number in range(12)]
    verdicts = await scenario.reads(*posts, at_once=at_once)
    assert verdicts == ["pass"] * 7 + ["hide"] * 5


async def test_the_same_text_is_for_review_from_the_fifth_on(scenario: SpaceScenario) -> None:
    texts = ["Venez tous voir ma page ce soir", "venez  tous voir ma page ce soir !!!"]
    posts = [scenario.post(texts[number % 2], author=number % 3) for number in range(7)]
    assert await scenario.reads(*posts, apart=20) == ["pass"] * 4 + ["review"] * 3


async def test_texts_outside_the_window_do_not_count(scenario: SpaceScenario) -> None:
    posts = [scenario.post(f"{ADVERT} numéro {number}") for number in range(12)]
    assert await scenario.reads(*posts, apart=10) == ["pass"] * 12


async def test_class_that_posts_together_is_no_burst(scenario: SpaceScenario) -> None:
    posts = [
        scenario.post(f"Mon exposé n° {n} : https://exemple.org/{n}", author=n % 12)
        for n in range(24)
    ]
    assert set(await scenario.reads(*posts, apart=0.1)) == {"pass"}


@pytest.mark.parametrize("at_once", [False, True])
async def test_pile_on_is_hidden_from_the_eighth_author_on(
    scenario: SpaceScenario, at_once: bool
) -> None:
    comments = [scenario.comment("Quel idiot.", author=number, target=11) for number in range(10)]
    verdicts = await scenario.reads(*comments, apart=30, at_once=at_once)
    assert verdicts[:7].count("hide") == 0
    assert verdicts[7:] == ["hide"] * 3


async def test_repeated_author_or_kind_words_are_no_pile_on(scenario: SpaceScenario) -> None:
    insists = [scenario.comment("Quel idiot.", author=1, target=11) for _ in range(10)]
    assert "hide" not in await scenario.reads(*insists)
    kind = [scenario.comment("Bravo, c’est très clair !", author=n, target=10) for n in range(9)]
    harsh = scenario.comment("Quel idiot.", author=9, target=10)
    assert "hide" not in await scenario.reads(*kind, harsh)


async def test_a_redelivered_event_counts_once_and_an_edit_adds_nothing(
    scenario: SpaceScenario,
) -> None:
    once = delivery(scenario.post(ADVERT), scenario.now)
    edit = scenario.post(ADVERT, kind=PostEdited)
    edits = [delivery(edit, scenario.now) for _ in range(12)]
    results = await scenario.screens([once] * 12 + edits)
    assert {result.verdict for result in results} == {Verdict.PASS}


async def test_history_counts_nothing(scenario: SpaceScenario) -> None:
    posts = [delivery(scenario.post(ADVERT), scenario.now, Origin.IMPORT) for _ in range(20)]
    results = await scenario.screens(posts, at_once=True)
    assert {result.verdict for result in results} == {Verdict.PASS}
    assert await scenario.reads(scenario.post(ADVERT)) == ["pass"]


async def test_without_redis_counts_are_local_and_degraded() -> None:
    away = RedisClient("redis://127.0.0.1:9/0", NoTelemetry())
    scenario = SpaceScenario(FallbackWindows(MemoryWindows(), RedisWindows(away), away))
    posts = [delivery(scenario.post(f"{ADVERT} {n}"), scenario.now) for n in range(8)]
    results = await scenario.screens(posts)
    assert [result.verdict for result in results[6:]] == [Verdict.PASS, Verdict.HIDE]
    assert all(result.degraded for result in results)
    (imported,) = await scenario.screens(
        [delivery(scenario.post(ADVERT), scenario.now, Origin.IMPORT)]
    )
    assert not imported.degraded
