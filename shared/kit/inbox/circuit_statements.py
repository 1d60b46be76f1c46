"""The SQL of the circuit breaker: one row per consumer group in the table `halts`."""

import sqlalchemy as sa

INSERT_GROUP = sa.text("""
    INSERT INTO halts (consumer_group) VALUES (:consumer_group) ON CONFLICT DO NOTHING
""")
LOCK_GROUP = sa.text("""
    SELECT since, cause, topic, partition, "offset", accept_failures, accept_until, applied, lifted,
           CAST(recent AS text) AS recent,
           (SELECT COALESCE(sum(applied), 0) FROM positions
            WHERE consumer_group = :consumer_group) AS applied_now
    FROM halts WHERE consumer_group = :consumer_group FOR UPDATE
""")
CLOSE_AND_COUNT = sa.text("""
    UPDATE halts SET since = NULL, cause = NULL, topic = NULL, partition = NULL, "offset" = NULL,
                     recent = CAST(:recent AS jsonb), applied = :applied, lifted = :lifted,
                     accept_failures = :accept_failures
    WHERE consumer_group = :consumer_group
""")
OPEN = sa.text("""
    INSERT INTO halts AS h (consumer_group, since, cause, topic, partition, "offset")
    VALUES (:consumer_group, :now, :cause, :topic, :partition, :offset)
    ON CONFLICT (consumer_group) DO UPDATE
    SET since = COALESCE(h.since, excluded.since), cause = excluded.cause,
        topic = excluded.topic, partition = excluded.partition, "offset" = excluded."offset"
    RETURNING since
""")
RESUME = sa.text("""
    UPDATE halts SET since = NULL, cause = NULL, topic = NULL, partition = NULL, "offset" = NULL,
                     recent = '[]', lifted = :now,
                     accept_failures = :failures, accept_until = :until
    WHERE consumer_group = :consumer_group
""")
CLOSE_AT = sa.text("""
    UPDATE halts SET since = NULL, cause = NULL, topic = NULL, partition = NULL, "offset" = NULL,
                     recent = '[]', lifted = :now
    WHERE consumer_group = :consumer_group AND since IS NOT NULL
      AND topic = :topic AND partition = :partition AND "offset" = :offset
    RETURNING consumer_group
""")
MAKE_PARKED_DUE = sa.text("""
    UPDATE parked SET next_try = :now
    WHERE consumer_group = :consumer_group AND state = 'parked' AND next_try > :now
""")
GET_STATE = sa.text("""
    SELECT since, cause, topic, partition, "offset", accept_failures, accept_until
    FROM halts WHERE consumer_group = :consumer_group
""")
