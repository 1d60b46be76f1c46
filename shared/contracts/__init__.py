"""The language: what crosses the wire between services.

One file for each owner, one class for each fact, and the closed list of them in `catalogue`.
Nothing here does I/O, and contracts only grow: a new meaning is a new version beside the old.
"""
