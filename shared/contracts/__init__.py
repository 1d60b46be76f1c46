"""Contracts between services: the events that they exchange.

One module per publisher, one class per fact, and the closed list of facts in `catalogue`. No
module does I/O. Contracts only grow: a new meaning is a new version beside the old one.
"""
