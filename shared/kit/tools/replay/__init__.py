"""Replay: rebuild a service's read model from the log and compare it with the live one.

`plan` selects tables and reactions, `schema` creates the shadow schema, `feed` reads the log up to
the live group's position (`live`), `shadow_consumer` applies it through the service's reactions,
`compare` finds differences and `swap` exchanges the tables. `rebuild` is the entry point.
"""
