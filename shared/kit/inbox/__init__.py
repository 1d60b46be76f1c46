"""The inbox: every fact has its effect once, in order per key, whatever is delivered again.

`decode` reads records, `consume` applies batches, `ledger` holds the SQL of positions and event
ids, `parked` keeps what failed, `dead_letters` is what an operator sees of it.
"""
