"""A build to come: its facts carry a field that today's do not know, and it reads both.

That is how facts grow (a new field is optional and has a default). What is written by a pod that
runs this has `since`; whatever it reads becomes a fact that has it too, filled in where today's
build left it out. Reactions see a subclass of the fact that they know.
"""

import sys
from collections import Counter
from functools import cache
from typing import cast

import msgspec

from shared.contracts.event import Fact, encode_data
from shared.kit.database import outbox
from shared.kit.inbox import decode

NEXT_BUILD_VARIABLE = "FAULTS_NEXT_BUILD"
"""The variable that says so; a real pod does not read it."""
NEXT_BUILD = "à venir"
CURRENT_BUILD = "d’aujourd’hui"
WROTE, READ_OLD, READ_NEW = "wrote", "read-old", "read-new"


def install_next_build() -> Counter[str]:
    """Encode and decode as the next build does; return its counts, which are also logged."""
    counted: Counter[str] = Counter()

    def count(event: str) -> None:
        counted[event] += 1
        number = counted[event]
        if number & (number - 1) == 0:
            print(f"FAULTS {event} next {number}", file=sys.stderr, flush=True)

    def grown(fact: Fact) -> msgspec.Raw:
        data = msgspec.json.decode(encode_data(fact))
        count(WROTE)
        return msgspec.Raw(msgspec.json.encode(data | {"since": NEXT_BUILD}))

    class Upcast:
        def __init__(self, fact: type[Fact]) -> None:
            self._decoder = msgspec.json.Decoder(extended_fact_type(fact))

        def decode(self, data: bytes) -> Fact:
            fact: Fact = self._decoder.decode(data)
            count(READ_NEW if build_of(fact) == NEXT_BUILD else READ_OLD)
            return fact

    vars(outbox)["encode_data"] = grown
    vars(decode)["decoder_of"] = cache(Upcast)
    return counted


@cache
def extended_fact_type(fact: type[Fact]) -> type[Fact]:
    """Return the fact as the next build declares it: one more field, with a default."""
    grown = msgspec.defstruct(
        fact.__name__,
        [("since", str, CURRENT_BUILD)],
        bases=(fact,),
        frozen=True,
        kw_only=True,
        gc=False,
    )
    return cast("type[Fact]", grown)


def build_of(fact: Fact) -> str:
    """Return which build wrote a fact that this one has read."""
    since: str = msgspec.structs.asdict(fact)["since"]
    return since
