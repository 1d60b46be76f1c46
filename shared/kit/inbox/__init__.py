"""The inbox: applies each event once and in order per key, even if the broker delivers it again.

`decode` decodes records, `consumer` applies batches, `ledger` contains the SQL of positions and
event ids, `parked` stores failed events, `dead_letters` lists and decides on them for operators.
"""
