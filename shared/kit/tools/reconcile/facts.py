"""I2: `heads` agree with log and outbox: each change has its event, each event its change."""

from collections.abc import Sequence

from shared.kit.tools.reconcile.log_index import LogIndex
from shared.kit.tools.reconcile.report import Report
from shared.kit.tools.reconcile.source import Source, read_current_heads

_MISSING_EVENTS = """
    SELECT h.topic, h.key, h.sequence, COALESCE(k.last, 0) AS logged,
           (SELECT count(DISTINCT w.sequence) FROM waiting w
            WHERE w.topic = h.topic AND w.key = h.key
              AND w.sequence > COALESCE(k.last, 0) AND w.sequence <= h.sequence) AS held
    FROM heads h LEFT JOIN keys k ON k.topic = h.topic AND k.key = h.key
    WHERE h.sequence > COALESCE(k.last, 0)
"""
_LOG_BEYOND_HEAD = """
    SELECT k.topic, k.key, k.last FROM keys k
    LEFT JOIN heads h ON h.topic = k.topic AND h.key = k.key
    WHERE k.topic = ? AND k.last > COALESCE(h.sequence, 0)
"""
_DIFFERENT_OUTBOX_ROWS = """
    SELECT w.topic, w.key, w.sequence FROM waiting w
    JOIN keys k ON k.topic = w.topic AND k.key = w.key
    WHERE w.sequence <= k.last AND NOT EXISTS (
        SELECT 1 FROM events e
        WHERE e.id = w.id AND e.digest = w.digest AND e.sequence = w.sequence)
"""
_OUTBOX_BEYOND_HEAD = """
    SELECT w.topic, w.key, w.sequence, h.sequence FROM waiting w
    LEFT JOIN heads h ON h.topic = w.topic AND h.key = w.key
    WHERE w.sequence > COALESCE(h.sequence, 0)
"""
MAX_RECHECK_KEYS = 1_000
"""Keys per query when heads are read again."""


async def check_facts(index: LogIndex, sources: Sequence[Source], report: Report) -> None:
    """Compare the sequences that heads count with the events in log and outbox."""
    report.record_check("I2", "keys with a head", index.query_number("SELECT count(*) FROM heads"))
    report.record_check(
        "I2", "events not yet sent", index.query_number("SELECT count(*) FROM waiting")
    )
    for topic, key, head, logged, queued in index.query(_MISSING_EVENTS):
        missing = head - logged - queued
        if missing:
            text = f"{topic}: its head says {head}, the log ends at {logged}, the outbox holds"
            text += f" {queued} of the rest: {missing} events are lost"
            report.report_violation("I2", key, text)
    for topic, key, sequence in index.query(_DIFFERENT_OUTBOX_ROWS):
        text = f"{topic}: the outbox holds {sequence} with another id or content than the log"
        report.report_violation("I3", key, text)
    for topic, key, sequence, head in index.query(_OUTBOX_BEYOND_HEAD):
        text = f"{topic}: the outbox holds {sequence}, its head says {head or 0}"
        report.report_violation("I2", key, text)
    _check_topics(index, sources, report)
    for source in sources:
        await _check_log_beyond_heads(index, source, report)


def _check_topics(index: LogIndex, sources: Sequence[Source], report: Report) -> None:
    own_topics = {topic for source in sources for topic in source.published_topics}
    for (topic,) in index.query("SELECT DISTINCT topic FROM heads"):
        if topic not in own_topics:
            report.report_violation(
                "I2", topic, "a service recorded events of a topic that it does not own"
            )


async def _check_log_beyond_heads(index: LogIndex, source: Source, report: Report) -> None:
    """Find keys whose log is ahead of the head, although the head was read again afterwards."""
    rows = [
        row for topic in source.published_topics for row in index.query(_LOG_BEYOND_HEAD, topic)
    ]
    for begin in range(0, len(rows), MAX_RECHECK_KEYS):
        chunk = rows[begin : begin + MAX_RECHECK_KEYS]
        current_heads = await read_current_heads(source, [(topic, key) for topic, key, _ in chunk])
        for topic, key, last in chunk:
            head = current_heads.get((topic, key), 0)
            if last > head:
                text = f"{topic}: the log holds {last}, its head says {head}: no change recorded it"
                report.report_violation("I2", key, text)
