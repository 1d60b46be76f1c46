"""Reputation: alerts on unusual numbers of flags."""
