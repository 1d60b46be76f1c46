"""Counting what happened within sliding windows of time: how many, of whom, how recently.

Counts only advise: they are kept in Redis while it answers, and in each process besides.
"""
