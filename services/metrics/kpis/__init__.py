"""KPIs: one definition each, and the figures."""
