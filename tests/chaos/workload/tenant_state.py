"""What the people of a tenant know of it, from the answers that they got."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from shared.contracts.identity import Role

T = TypeVar("T")
MAX_REMEMBERED_CONTENTS = 300
"""Contents that a tenant's people still talk about: the newest."""


@dataclass(slots=True, eq=False)
class Space:
    """A space that the tenant's people know."""

    space_id: str
    opened_by: str
    joinable: bool
    is_base: bool = False
    """Whether all members join it at the start and never leave it."""


@dataclass(slots=True, eq=False)
class KnownContent:
    """A published content."""

    content_id: str
    kind: str
    root_id: str
    author: str
    space: Space
    may_be_moderated: bool
    """Whether the rules will hide it, or a moderator may."""
    question_author: str = ""
    """Who asked the question that it answers."""
    gone: bool = False
    flagged: set[str] = field(default_factory=set)


@dataclass(eq=False)
class TenantState:
    """A tenant."""

    run: str
    """The run's name: what is opened in it bears it."""
    label: str
    """What this tenant is called in the plan of its people."""
    slug: str = ""
    password: str = field(default="", repr=False)
    tenant_id: str = ""
    root: str = ""
    school: str = ""
    spaces: list[Space] = field(default_factory=list)
    contents: deque[KnownContent] = field(
        default_factory=lambda: deque(maxlen=MAX_REMEMBERED_CONTENTS)
    )
    people: dict[str, "Person"] = field(default_factory=dict)
    cases: deque[str] = field(default_factory=lambda: deque(maxlen=50))
    case_contents: dict[str, str] = field(default_factory=dict)
    case_versions: dict[str, int] = field(default_factory=dict)
    alerts: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    suspendable: list[str] = field(default_factory=list)
    """Who is suspended now and then: few, so that the others are refused nothing."""
    suspended: list[str] = field(default_factory=list)
    imported: dict[str, int] = field(default_factory=dict)
    """Space → how many contents were brought into it."""
    other_tenant: "TenantState | None" = None
    """Another tenant, of which nothing may ever be seen."""
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of those who do not have the common one, by e-mail address."""

    def password_of(self, email: str) -> str:
        """Return the password of a person of this tenant."""
        return self.passwords.get(email, self.password)

    @property
    def base_spaces(self) -> list[Space]:
        """The spaces of all members."""
        return [space for space in self.spaces if space.is_base]

    def mark_gone(self, content_id: str) -> None:
        """Mark a content and its conversation as no longer answerable."""
        for content in self.contents:
            if content_id in {content.content_id, content.root_id}:
                content.gone = True


@dataclass(eq=False)
class Person:
    """A person of a tenant; their `name` seeds their planned actions."""

    tenant: TenantState
    name: str
    email: str
    role: Role
    member_id: str = ""
    access: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    access_expires_at: float = 0.0
    """When the access token ends, of `time.monotonic`."""
    spaces: set[Space] = field(default_factory=set)
    notices: deque[str] = field(default_factory=lambda: deque(maxlen=50))
    statements: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    signing_in: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def signed_in(self) -> bool:
        return bool(self.access) and time.monotonic() < self.access_expires_at

    @property
    def ordered_spaces(self) -> list[Space]:
        """The person's spaces, in the order they were opened."""
        return [space for space in self.tenant.spaces if space in self.spaces]

    def pick_content(
        self, rng: Random, fits: Callable[[KnownContent], bool]
    ) -> KnownContent | None:
        """Pick a content that still exists, in one of the person's spaces."""
        return pick(
            rng,
            (
                content
                for content in self.tenant.contents
                if not content.gone and content.space in self.spaces and fits(content)
            ),
        )

    def pick_visible(self, rng: Random, *kinds: str) -> KnownContent | None:
        """Pick a content visible to all, of these kinds; without kinds, of any."""
        return self.pick_content(
            rng, lambda known: not known.may_be_moderated and (not kinds or known.kind in kinds)
        )

    def pick_own(self, rng: Random) -> KnownContent | None:
        """Pick a content that the person wrote."""
        return self.pick_content(rng, lambda known: known.author == self.name)


def pick(rng: Random, candidates_in: Iterable[T]) -> T | None:
    """Pick a random candidate, or None without any; always takes exactly one draw."""
    fraction = rng.random()
    candidates = list(candidates_in)
    return candidates[int(fraction * len(candidates))] if candidates else None
