"""The effect of the hand-written loops: one statement a batch, deduplicated by event id."""

COMMIT_EVERY = 0.2
"""Seconds between two commits of offsets, as ours; a commit per batch would cost them speed."""

_STATEMENT = """
    WITH arrived AS (
        SELECT DISTINCT ON (id) id, tenant, space, day
        FROM unnest({ids}::text[]::uuid[], {tenants}::text[]::uuid[], {spaces}::text[]::uuid[],
                    {days}::text[]::date[]) AS a (id, tenant, space, day)
        ORDER BY id
    ), fresh AS (
        INSERT INTO peer_inbox (event_id) SELECT id FROM arrived ORDER BY id
        ON CONFLICT DO NOTHING RETURNING event_id
    )
    INSERT INTO peer_counts AS c (tenant_id, space_id, day, n)
    SELECT tenant, space, day, count(*) FROM arrived JOIN fresh ON event_id = id
    GROUP BY tenant, space, day ORDER BY tenant, space, day
    ON CONFLICT (tenant_id, space_id, day) DO UPDATE SET n = c.n + excluded.n
"""
ASYNCPG = _STATEMENT.format(ids="$1", tenants="$2", spaces="$3", days="$4")
PSYCOPG = _STATEMENT.format(ids="%s", tenants="%s", spaces="%s", days="%s")
