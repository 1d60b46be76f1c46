"""Batches of history, for volume: questions, answers and comments of people from elsewhere."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random

from tests.chaos.workload import texts
from tests.chaos.workload.request import Act, Request
from tests.chaos.workload.world import Person, pick

LINES = (20, 100)
STRANGERS = 50
Line = dict[str, object]


def import_contents(person: Person, draw: Random) -> Request | None:
    """Every line is new but for some that were sent before, and some that are refused."""
    space = pick(draw, person.world.base)
    if space is None:
        return None
    known = person.world.imported
    first = known.get(space.space_id, 0)
    count = draw.randrange(*LINES)
    known[space.space_id] = first + count
    now = datetime.now(UTC)
    lines = [_line(draw, number, first, now) for number in range(first, first + count)]
    answers = [each for each in lines if each["kind"] == "answer"]
    accepted = [{"answer": each["outside_id"]} for each in answers if draw.random() < 0.2]
    if first and draw.random() < 0.3:
        lines.append(lines[0])
    if draw.random() < 0.2:
        lines.append(lines[0] | {"outside_id": "post:-1", "created_at": now + timedelta(days=2)})
    body = {
        "space_id": space.space_id,
        "source": f"ailleurs:{person.world.run}:{space.space_id}",
        "lines": lines,
        "accepted": accepted,
    }
    return Request("community", "POST", "/imports", body)


def _line(draw: Random, number: int, first: int, now: datetime) -> Line:
    """A fifth are questions; what answers them stands in the same batch."""
    root = first + (number - first) // 5 * 5
    kind = "question" if number == root else draw.choice(("answer", "comment"))
    line: Line = {
        "outside_id": f"post:{number}",
        "kind": kind,
        "body": f"<p>{texts.sentence(draw)}</p>",
        "created_at": now - timedelta(days=draw.uniform(1, 900)),
        "author": str(draw.randrange(STRANGERS)),
    }
    return line | ({"title": texts.title(draw)} if number == root else {"parent": f"post:{root}"})


def import_members(person: Person, draw: Random) -> Request:
    """A few strangers: the first time they are new."""
    joined = datetime.now(UTC) - timedelta(days=1000)
    lines = [
        {
            "outside_id": str(number),
            "display_name": f"Étranger nº {number} 🧳",
            "joined_at": joined,
        }
        for number in draw.sample(range(STRANGERS), draw.randrange(3, 15))
    ]
    space = pick(draw, person.world.base)
    source = f"ailleurs:{person.world.run}:{space.space_id if space else ''}"
    body = {"source": source, "structure_id": person.world.school, "lines": lines}
    return Request("identity", "POST", "/imports", body)


ACTS: Mapping[str, Act] = {
    "import_contents": import_contents,
    "import_members": import_members,
}
