"""The checker: is every fact where it must be, once and in order, and nothing where it must not?

It shares no code with outbox, inbox and relay: it has its own reading of the log, of the envelope
and of the tables, so that an error there is not repeated here. It writes nothing but its book, a
SQLite file: what it knows of the log lies there and not in memory, and a second look at the same
book reads only what is new. `check` is the way in; invariants are numbered as in
docs/reliability.md.
"""
