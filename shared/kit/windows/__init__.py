"""Counts of distinct items in sliding windows of time, in Redis and in each process.

The counts are advisory: they may be too low while Redis is unavailable.
"""
