"""SQL shared by writing and verifying audit chains: the hash of a row."""

HASH = """
    sha256(previous_hash || convert_to(concat_ws(
        '|', tenant_id, member_id, number, extract(epoch FROM at), action, subject, details
    ), 'UTF8'))
"""
"""SHA-256 of the previous row's hash and the row's columns."""
BROKEN_ROWS = f"""
    SELECT member_id, number FROM (
        SELECT *, {HASH} AS computed,
               lag(hash, 1, ''::bytea) OVER chain AS expected_previous,
               row_number() OVER chain AS expected_number
        FROM audit WHERE tenant_id = $1
        WINDOW chain AS (PARTITION BY member_id ORDER BY number)
    ) AS rows
    WHERE hash <> computed OR previous_hash <> expected_previous OR number <> expected_number
    ORDER BY member_id, number LIMIT 100
"""  # noqa: S608  a constant of this file
"""The first rows that break a chain, in the tenant `$1`."""
