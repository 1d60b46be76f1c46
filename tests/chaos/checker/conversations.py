"""I2, I5, I6 between community and moderation: versions, verdicts, flags, decisions."""

from collections.abc import AsyncIterator

from tests.chaos.checker.compare import differences
from tests.chaos.checker.log_facts import LogFacts
from tests.chaos.checker.tables import Tables
from tests.chaos.violation import Violation

_VERSIONS = "SELECT tenant_id || ':' || content_id AS key, version AS value FROM contents"
_SCREENED = """
    SELECT tenant_id || ':' || content_id AS key, max(version) AS value FROM screenings GROUP BY 1
"""
_TEXTS = """
    SELECT tenant_id || ':' || content_id AS key, count(*) AS value FROM screenings GROUP BY 1
"""
_FLAGS = """
    SELECT concat_ws(':', tenant_id, content_id, member_id, version) AS key, reason AS value
    FROM flags
"""
_IN_CASES = """
    SELECT concat_ws(':', c.tenant_id, c.content_id, f.member_id, f.version) AS key,
           f.reason AS value
    FROM case_flags f JOIN cases c ON c.tenant_id = f.tenant_id AND c.case_id = f.case_id
"""
_STANDINGS = """
    SELECT tenant_id || ':' || content_id AS key,
           concat_ws(' ', standing, decision_id, decided_version) AS value
    FROM contents WHERE decision_id IS NOT NULL
"""
_DECIDED = """
    SELECT d.tenant_id || ':' || d.content_id AS key,
           concat_ws(' ', CASE WHEN r.decision_id IS NOT NULL THEN 'visible'
                               WHEN d.action = 'hide' THEN 'hidden'
                               WHEN d.action = 'remove' THEN 'removed' ELSE 'visible' END,
                     d.decision_id, d.version) AS value
    FROM decisions d
    LEFT JOIN reversals r ON r.tenant_id = d.tenant_id AND r.decision_id = d.decision_id
"""


async def check_conversations(tables: Tables, log_facts: LogFacts) -> AsyncIterator[Violation]:
    """Compare community's contents with moderation's screenings, flags and decisions."""
    versions = await tables.key_values("community", _VERSIONS)
    logged = {key: str(version) for key, version in log_facts.versions.items()}
    for violation in differences("I2", "versions of contents and their facts", versions, logged):
        yield violation
    screened = await tables.key_values("moderation", _SCREENED)
    for violation in differences("I5", "last version that was screened", screened, versions):
        yield violation
    texts = await tables.key_values("moderation", _TEXTS)
    for violation in differences("I5", "versions whose text is kept", texts, versions):
        yield violation
    flags = await tables.key_values("community", _FLAGS)
    joined = await tables.key_values("moderation", _IN_CASES)
    for violation in differences("I6", "flags kept in cases", joined, flags):
        yield violation
    async for violation in _check_decisions(tables):
        yield violation


async def _check_decisions(tables: Tables) -> AsyncIterator[Violation]:
    """Compare the status of each decided content with its decision."""
    decisions: dict[str, set[str]] = {}
    for row in await tables.rows("moderation", _DECIDED):
        decisions.setdefault(row["key"], set()).add(row["value"])
    standing = await tables.key_values("community", _STANDINGS)
    for key, value in standing.items():
        if value not in decisions.get(key, ()):
            yield Violation("I6", key, f"stands as {value}, which no decision says")
    removed_query = (
        "SELECT tenant_id || ':' || content_id AS key FROM contents WHERE standing = 'removed'"
    )
    removed = {row["key"] for row in await tables.rows("community", removed_query)}
    contents = await tables.key_values("community", _VERSIONS)
    for key, values in decisions.items():
        owed = any(value.startswith("removed") for value in values)
        if owed and key in contents and key not in removed:
            yield Violation("I6", key, "was to be removed by a decision, and is not")
