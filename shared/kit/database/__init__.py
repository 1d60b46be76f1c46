"""PostgreSQL: units of work, the outbox they write, tables, migrations and overload protection."""
