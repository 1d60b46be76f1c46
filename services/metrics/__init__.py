"""Metrics: KPIs people can trust, and a reputation that is watched.

Owns the roll-ups of activity, the definitions of KPIs and their values, spikes and alerts.
Answers for what a number means, how certain it is and what it was counted from. Never shows a
group small enough to point at a person, and never asks another service: it counts their facts.
"""
