"""Replay: a service's read model rebuilt from the log, beside the live one, and held against it.

`plan` says which tables, `schema` makes room for them, `feed` reads the log up to where the live
group stands (`live`), through the service's own reactions (`shadow`); `compare` tells what differs,
`exchange` puts the rebuilt tables in the place of the live ones. `rebuild` is the whole run.
"""
