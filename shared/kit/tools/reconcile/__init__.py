"""Reconciliation: checks that every event is stored, published and applied exactly once.

It shares no code with outbox, inbox and relay: it parses the log, the envelope and the tables in
its own way, so that an error of theirs is not repeated here. It writes only to the log index, a
SQLite file, which keeps what was read of the log outside of memory; the next run with the same
file reads only new records. `check` is the entry point; docs/reliability.md numbers the invariants.
"""
