"""The inbox: applies each event once and in order per key, whatever the broker delivers again.

`decode` reads records, `consumer` applies batches, `ledger` holds the SQL of positions and event
ids, `parked` keeps events that failed, `dead_letters` lists and decides on them for operators.
"""
