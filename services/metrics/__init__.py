"""Metrics: trustworthy KPIs, and alerts on a community's reputation.

Owns the roll-ups of activity, the definitions of KPIs and their values, and alerts. Answers for
what a number means, how certain it is and what it was counted from. Never shows values about a
group that is small enough to identify a person, and never calls another service: it counts the
events of the others.
"""
