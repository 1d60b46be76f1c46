"""I2: heads ⇔ log and outbox. No change without its fact, no fact without its change."""

from collections.abc import Sequence

from shared.kit.tools.reconcile.log_index import LogIndex
from shared.kit.tools.reconcile.report import Report
from shared.kit.tools.reconcile.source import Source, read_current_heads

_LOST = """
    SELECT h.topic, h.key, h.sequence, COALESCE(k.last, 0) AS logged,
           (SELECT count(DISTINCT w.sequence) FROM waiting w
            WHERE w.topic = h.topic AND w.key = h.key
              AND w.sequence > COALESCE(k.last, 0) AND w.sequence <= h.sequence) AS held
    FROM heads h LEFT JOIN keys k ON k.topic = h.topic AND k.key = h.key
    WHERE h.sequence > COALESCE(k.last, 0)
"""
_AHEAD = """
    SELECT k.topic, k.key, k.last FROM keys k
    LEFT JOIN heads h ON h.topic = k.topic AND h.key = k.key
    WHERE k.topic = ? AND k.last > COALESCE(h.sequence, 0)
"""
_UNLIKE = """
    SELECT w.topic, w.key, w.sequence FROM waiting w
    JOIN keys k ON k.topic = w.topic AND k.key = w.key
    WHERE w.sequence <= k.last AND NOT EXISTS (
        SELECT 1 FROM events e
        WHERE e.id = w.id AND e.digest = w.digest AND e.sequence = w.sequence)
"""
_BEYOND = """
    SELECT w.topic, w.key, w.sequence, h.sequence FROM waiting w
    LEFT JOIN heads h ON h.topic = w.topic AND h.key = w.key
    WHERE w.sequence > COALESCE(h.sequence, 0)
"""
MAX_RECHECK_KEYS = 1_000
"""Keys asked for again at once."""


async def check_facts(book: LogIndex, sources: Sequence[Source], report: Report) -> None:
    """Compare what was counted with what was said."""
    report.record_check("I2", "keys with a head", book.query_number("SELECT count(*) FROM heads"))
    report.record_check(
        "I2", "facts not yet sent", book.query_number("SELECT count(*) FROM waiting")
    )
    for topic, key, head, logged, held in book.query(_LOST):
        lost = head - logged - held
        if lost:
            text = f"{topic}: its head says {head}, the log ends at {logged}, the outbox holds"
            report.report_violation("I2", key, f"{text} {held} of the rest: {lost} facts are lost")
    for topic, key, sequence in book.query(_UNLIKE):
        text = f"{topic}: the outbox holds {sequence} with another id or content than the log"
        report.report_violation("I3", key, text)
    for topic, key, sequence, head in book.query(_BEYOND):
        text = f"{topic}: the outbox holds {sequence}, its head says {head or 0}"
        report.report_violation("I2", key, text)
    _check_topics(book, sources, report)
    for source in sources:
        await _check_ahead(book, source, report)


def _check_topics(book: LogIndex, sources: Sequence[Source], report: Report) -> None:
    known = {topic for source in sources for topic in source.published_topics}
    for (topic,) in book.query("SELECT DISTINCT topic FROM heads"):
        if topic not in known:
            report.report_violation(
                "I2", topic, "a service wrote facts of a topic that is not its own"
            )


async def _check_ahead(book: LogIndex, source: Source, report: Report) -> None:
    """See what the log holds beyond the heads: written since the copy, or by nobody's change."""
    ahead = [row for topic in source.published_topics for row in book.query(_AHEAD, topic)]
    for begin in range(0, len(ahead), MAX_RECHECK_KEYS):
        some = ahead[begin : begin + MAX_RECHECK_KEYS]
        now = await read_current_heads(source, [(topic, key) for topic, key, _ in some])
        for topic, key, last in some:
            head = now.get((topic, key), 0)
            if last > head:
                text = f"{topic}: the log holds {last}, its head says {head}: no change made it"
                report.report_violation("I2", key, text)
