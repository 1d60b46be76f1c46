"""Reputation: what is out of the ordinary, and who is told."""
